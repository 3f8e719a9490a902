"""Writes what the chart has of its values, the release, the migrations, alerts and dashboards; `--check` compares."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.tools.chart_values import ALL
from deploy.tools.values_model import Node, Value, leaves, schema_of
from service_kit.postgres.revisions import read_revisions

DEPLOY: Final = Path(__file__).resolve().parents[1]
CHART: Final = DEPLOY / "helm" / "tukupay-sms"
SUM: Final = DEPLOY / "kustomize" / "chart.sha256"
_VERSION: Final = re.compile(r"(?<=^version: ).*$|(?<=^appVersion: ).*$", re.MULTILINE)
_TABLE: Final = re.compile(r"(?<=<!-- values -->\n).*?(?=<!-- end of values -->)", re.DOTALL)


def main() -> int:
    """Writes every file that is not as it should be; with `--check` names them and exits 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, and fail when something would change")
    is_check = parser.parse_args().check
    wanted = files()
    old = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    gone = [path for path in copies() if path not in wanted]
    if is_check and not old + gone and SUM.read_text("utf-8") != chart_sum():
        old = [SUM.parent]
    if is_check and old + gone:
        names = ", ".join(path.relative_to(DEPLOY).as_posix() for path in old + gone)
        sys.stderr.write(f"old in deploy/: {names}; run `make chart`\n")
        return 1
    for path in old:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], "utf-8")
    for path in gone:
        path.unlink()
    return 0


def chart_sum() -> str:
    """SHA-256 of all that the chart renders from, by which it shows without Helm that the kustomize files are old."""
    inside = (CHART / "Chart.yaml", CHART / "values.yaml", *(CHART / "templates").iterdir())
    read = (*inside, *(CHART / "files").glob("*.yaml"), *(CHART / "files" / "alerts").glob("*.yaml"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(read))).hexdigest() + "\n"


def copies() -> list[Path]:
    """The copies of alerts and dashboards, as a chart can read nothing outside its folder."""
    return sorted([*(CHART / "files" / "alerts").glob("*.yaml"), *(CHART / "files" / "dashboards").glob("*.json")])


def files() -> dict[Path, str]:
    """Every file that is made, with what should be in it."""
    readme, description = CHART / "README.md", CHART / "Chart.yaml"
    made = {
        description: _VERSION.sub(lambda _: release(), description.read_text("utf-8")),
        CHART / "values.yaml": values_yaml(),
        CHART / "values.schema.json": schema_json(),
        CHART / "files" / "schema-revisions.yaml": revisions(),
        readme: _TABLE.sub(lambda _: values_table(), readme.read_text("utf-8")),
    }
    for folder, pattern in (("alerts", "*.yaml"), ("dashboards", "*.json")):
        for path in sorted((DEPLOY / folder).glob(pattern)):
            made[CHART / "files" / folder / path.name] = path.read_text("utf-8")
    return made


def release() -> str:
    """The version of the project, which is that of the chart and of the image."""
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["version"])


def revisions() -> str:
    """The newest migration of each service."""
    newest = {
        name: read_revisions(DEPLOY.parent / f"{name}_service" / "migrations").head for name in ("messaging", "pricing")
    }
    lines = ["# The schema that this release needs; `make chart` writes it from the migrations."]
    return "\n".join([*lines, *(f'{name}: "{revision}"' for name, revision in newest.items())]) + "\n"


def schema_json() -> str:
    """The schema by which Helm refuses values that mean nothing."""
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", **schema_of(ALL)}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def values_yaml() -> str:
    """The defaults, each under what it means."""
    lines = ["# Values of the chart, written by `make chart` from deploy/tools/chart_values.py."]
    for key, node in ALL.inside.items():
        lines.append("")
        lines += _lines(key, node, 0)
    return "\n".join(lines) + "\n"


def _lines(key: str, node: Node, depth: int) -> list[str]:
    indent = "  " * depth
    lines = textwrap.wrap(
        f"{_sentence(node.meaning)}.",
        116 - len(indent),
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    if isinstance(node, Value):
        text = yaml.safe_dump({key: node.default}, sort_keys=False, default_flow_style=False, width=1000)
        return lines + [f"{indent}{line}" for line in text.rstrip("\n").split("\n")]
    lines.append(f"{indent}{key}:")
    for name, inner in node.inside.items():
        lines += _lines(name, inner, depth + 1)
    return lines


def _sentence(meaning: str) -> str:
    return (
        meaning
        if meaning[:2].lower() != meaning[:2] or meaning.startswith("gRPC")
        else meaning[0].upper() + meaning[1:]
    )


def values_table() -> str:
    """A row for each value."""
    rows = ["| value | default | meaning |", "| --- | --- | --- |"]
    for path, value in leaves(ALL):
        meaning = value.meaning.replace("|", "\\|").replace("<", "&lt;")
        rows.append(f"| `{path}` | {_shown(value.default)} | {meaning} |")
    return "\n".join(rows) + "\n"


def _shown(default: Any) -> str:  # noqa: ANN401 - whatever YAML can hold
    if default in ("", None) or default in ([], {}):
        return "none"
    text = default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)
    return f"`{text}`"


if __name__ == "__main__":
    sys.exit(main())
