"""The threat model names tests that exist, and the guide to the audit log every action that there is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECURITY = (ROOT / "docs/security.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs/guides/audit.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+?) \| .+? \| (.*`test_.*) \|$", SECURITY, re.MULTILINE)
_ACTION = re.compile(r"[a-z_]+\.[a-z_]+")
_BUILT = {
    "{noun}.{verb}": {
        *(f"webhook.{verb}" for verb in ("created", "changed", "secret_rotated", "deleted")),
        *(f"channel.{verb}" for verb in ("created", "changed", "deleted")),
    },
    "money.{kind}": {"money.top_up", "money.adjustment", "money.refund"},
}
"""Actions that are put together, by what is in their place in the source."""


@pytest.fixture(scope="module")
def names_of_tests() -> set[str]:
    return {
        name
        for file in ROOT.glob("tests/**/test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }


def test_every_point_of_the_ten_is_there() -> None:
    assert [name for name, _ in ROWS if name.startswith("API")] == [
        name for name, _ in ROWS if re.match(r"API\d+: ", name)
    ]
    assert {int(name[3 : name.index(":")]) for name, _ in ROWS if name.startswith("API")} == set(range(1, 11))


@pytest.mark.parametrize(("point", "tests"), ROWS, ids=[name for name, _ in ROWS])
def test_the_tests_behind_a_point_exist(point: str, tests: str, names_of_tests: set[str]) -> None:
    named = re.findall(r"`(test_\w+)`", tests)
    assert named, point
    assert [name for name in named if name not in names_of_tests] == []


def actions() -> Iterator[str]:
    """What the first argument of each entry says, also where a function of the same module makes the entry."""
    for file in (*ROOT.glob("messaging_service/**/*.py"), *ROOT.glob("pricing_service/**/*.py")):
        source = file.read_text(encoding="utf-8")
        if "AuditRecord(" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            first = node.args[0]
            said = str(first.value) if isinstance(first, ast.Constant) else ""
            if ast.unparse(node.func) in {"AuditRecord", "_audited"} and _ACTION.fullmatch(said):
                yield said
    yield from (action for built in _BUILT.values() for action in built)
    yield "access.refused"


def test_the_guide_names_every_action_and_no_other() -> None:
    table = GUIDE[GUIDE.index("| action |") : GUIDE.index("A request that is repeated")]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {action for cell in cells for action in _ACTION.findall(cell)} == set(actions())
