"""Writes the tables of scopes and methods in docs/guides/access.md from the protos; `--check` only compares."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pool import Default

from messaging_service.wiring.services import SERVICES
from pricing_service.transport.servicer import SERVICE_NAME
from service_kit.access.method_rules import MethodRule, Tenancy, rule_of
from service_kit.access.scopes import SCOPES, SELDOM

DOCUMENT: Final = Path(__file__).resolve().parent / "guides" / "access.md"
START: Final = "<!-- scopes and methods -->\n"
END: Final = "<!-- end of scopes and methods -->\n"


def main() -> int:
    """Writes the tables; with `--check` exits 1 when they are not what the protos say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, and fail when something would change")
    is_check = parser.parse_args().check
    present = DOCUMENT.read_text(encoding="utf-8")
    wanted = with_tables(present)
    if wanted == present:
        return 0
    if is_check:
        sys.stderr.write(f"the tables of scopes and methods in {DOCUMENT.name} are old; run `make access-table`\n")
        return 1
    DOCUMENT.write_text(wanted, encoding="utf-8")
    return 0


def with_tables(document: str) -> str:
    """The document with what is between its markers made anew."""
    pattern = re.compile(re.escape(START) + ".*?" + re.escape(END), re.DOTALL)
    if pattern.search(document) is None:
        raise ValueError(f"{DOCUMENT.name} has no place for the tables of scopes and methods")
    tables = "\n".join([*_scopes(), "", *_methods(), ""])
    return pattern.sub(lambda _: START + tables + END, document)


def _scopes() -> Iterator[str]:
    yield "| scope | allows to |"
    yield "| --- | --- |"
    for scope, meaning in SCOPES.items():
        words = meaning[0].lower() + meaning[1:].removesuffix(".")
        yield f"| `{scope}` | {words}{' (workloads only, and not in `*`)' if scope in SELDOM else ''} |"


def _methods() -> Iterator[str]:
    yield "| method | scope | for |"
    yield "| --- | --- | --- |"
    pool = Default()
    for name in (SERVICE_NAME, *SERVICES):
        service: ServiceDescriptor = pool.FindServiceByName(name)
        for method in service.methods:
            rule = rule_of(method)
            yield f"| `{service.name}/{method.name}` | `{rule.scope}` | {_kept_to(rule)} |"


def _kept_to(rule: MethodRule) -> str:
    match rule.tenancy:
        case Tenancy.ACCOUNT_FIELD:
            absent = "; without one, callers for all accounts" if rule.is_optional else ""
            return f"the account in `{rule.field}`{absent}"
        case Tenancy.OWNED_ID:
            return f"the account that `{rule.field}` belongs to"
        case Tenancy.ITEMS:
            return f"the account of each of `{rule.field}`"
        case Tenancy.ALL_ACCOUNTS:
            return "callers for all accounts"
        case Tenancy.NO_ACCOUNT:
            return "everybody with the scope"


if __name__ == "__main__":
    sys.exit(main())
