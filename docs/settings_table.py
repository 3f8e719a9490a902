"""Writes the tables of settings in docs/operations.md from the classes that declare them; `--check` only compares."""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
from enum import Enum
from pathlib import Path

from gateway_http.settings import GatewaySettings
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from pricing_service.settings import PricingSettings
from service_kit.settings import FILE_SUFFIX, Declared, declared

DOCUMENT = Path(__file__).resolve().parent / "operations.md"
SERVICES: dict[str, type] = {
    "messaging": MessagingSettings,
    "pricing": PricingSettings,
    "gateway": GatewaySettings,
}


def main() -> int:
    """Writes the tables; with `--check` exits 1 when they are not what the classes say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, and fail when something would change")
    is_check = parser.parse_args().check
    present = DOCUMENT.read_text(encoding="utf-8")
    wanted = with_tables(present)
    if wanted == present:
        return 0
    if is_check:
        sys.stderr.write(f"the tables of settings in {DOCUMENT.name} are old; run `make settings-table`\n")
        return 1
    DOCUMENT.write_text(wanted, encoding="utf-8")
    return 0


def with_tables(document: str) -> str:
    """The document with each table between its markers made anew."""
    for service, settings in SERVICES.items():
        start, end = f"<!-- settings of {service} -->\n", "<!-- end of settings -->\n"
        pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
        if pattern.search(document) is None:
            raise ValueError(f"{DOCUMENT.name} has no place for the settings of {service}")
        table = start + table_of(settings) + end
        document = pattern.sub(lambda _, table=table: table, document)  # type: ignore[misc]  # bound at once
    return document


def table_of(settings: type) -> str:
    """A row for each setting of a class."""
    rows = ["| variable | default | meaning |", "| --- | --- | --- |", *(_row(each) for each in declared(settings))]
    return "\n".join(rows) + "\n"


def _row(each: Declared) -> str:
    meaning = each.description.replace("|", "\\|")
    if each.guide is not None:
        name = each.guide.removeprefix("guides/") if each.guide.startswith("guides/") else "more"
        meaning += f" ([{name}]({each.guide}))"
    names = f"`{each.env}`" + (f" or `{each.env}{FILE_SUFFIX}`" if each.is_secret else "")
    return f"| {names} | {each.default_text or _shown(each.default)} | {meaning} |"


def _shown(default: object) -> str:
    match default:
        case dataclasses.MISSING:
            text = "required"
        case None | ():
            text = "none"
        case bool():
            text = str(default).lower()
        case int() | float():
            text = f"{default:.15g}"
        case Enum():
            text = f"`{default.value}`"
        case tuple():
            text = f"`{','.join(_shown(part) for part in default)}`"
        case frozenset():
            text = f"`{','.join(sorted(default))}`" if default else "none"
        case _:
            text = f"`{default}`" if str(default) else "empty"
    return text


if __name__ == "__main__":
    sys.exit(main())
