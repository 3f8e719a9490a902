"""What statements take is bounded, whatever plan the database chooses for them."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in (*sorted((ROOT / "messaging_service").glob("*/postgres")), ROOT / "pricing_service" / "adapters")
    for path in sorted(folder.rglob("*.py"))
)


def selections_in(text: str) -> list[str]:
    """The subqueries of every `IN (…)`."""
    found = []
    for piece in text.split(" IN (")[1:]:
        depth = 1
        for end, letter in enumerate(piece):
            depth += {"(": 1, ")": -1}.get(letter, 0)
            if depth == 0:
                found.append(piece[:end])
                break
    return [selection for selection in found if selection.lstrip().startswith("SELECT")]


def test_statements_are_found() -> None:
    assert selections_in("WHERE id IN (SELECT id FROM (SELECT 1) s LIMIT 2) AND true") == [
        "SELECT id FROM (SELECT 1) s LIMIT 2"
    ]
    assert any(selections_in(path.read_text()) for path in SOURCES)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_limit_stands_in_a_subquery_that_may_run_once_for_each_row(path: Path) -> None:
    # As the inner side of a nested loop it is run anew for each row, locks others each time, and more rows than the
    # limit are taken; `= ANY(ARRAY(SELECT … LIMIT …))` is run once.
    assert [selection for selection in selections_in(path.read_text()) if "LIMIT" in selection] == []
