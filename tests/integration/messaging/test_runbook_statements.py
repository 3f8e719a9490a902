"""The SQL that runbooks print for the database of messaging can be run there."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

RUNBOOKS = Path(__file__).parents[3] / "docs" / "runbooks"
STATEMENTS = [
    (page.stem, statement.strip())
    for page in sorted(RUNBOOKS.glob("*.md"))
    for block in re.findall(r"^```sql\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    for statement in block.split(";")
    if statement.strip()
]


def test_there_are_statements() -> None:
    assert len(STATEMENTS) >= 10


@pytest.mark.parametrize(("page", "statement"), STATEMENTS, ids=[page for page, _ in STATEMENTS])
async def test_a_printed_statement_can_be_run_and_changes_nothing(page: str, statement: str, database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.set_read_only(True)
        cursor = await connection.execute(statement.encode())
        assert cursor.description is not None, page
