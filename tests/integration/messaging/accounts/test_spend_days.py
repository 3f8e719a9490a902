"""The daily spend limit counts days of Nairobi in the database, too: the product's own SQL, at chosen instants."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from messaging_service.accounts.postgres.account_rows import ACCOUNT, HOLD_MORE
from tests.system.messaging_database import rows

JUNE_FIRST, JUNE_SECOND = date(2026, 6, 1), date(2026, 6, 2)
BEFORE, MIDNIGHT = "2026-06-01 20:59:59Z", "2026-06-01 21:00:00Z"


def at(instant: str, sql: str) -> str:
    """The SQL, were it that instant now."""
    assert "now()" in sql
    return sql.replace("now()", f"timestamptz '{instant}'")


@pytest.mark.parametrize(("instant", "spent"), [(BEFORE, 7), (MIDNIGHT, 0), ("2026-06-02 00:30:00Z", 0)])
async def test_what_is_shown_as_spent_starts_anew_at_midnight_in_nairobi(
    database_url: str, instant: str, spent: int
) -> None:
    await rows(database_url, "INSERT INTO account (id, day_spent, spend_day) VALUES ('user123', 7, %s)", (JUNE_FIRST,))
    (row,) = await rows(database_url, f"SELECT {at(instant, ACCOUNT.sql)} FROM account")
    assert ACCOUNT.read(row).usage.spent_today == spent


@pytest.mark.parametrize(
    ("instant", "expected"),
    [(BEFORE, (Decimal(10), JUNE_FIRST)), (MIDNIGHT, (Decimal(3), JUNE_SECOND))],
)
async def test_what_is_held_counts_toward_the_day_of_nairobi(
    database_url: str, instant: str, expected: tuple[Decimal, date]
) -> None:
    await rows(database_url, "INSERT INTO account (id, day_spent, spend_day) VALUES ('user123', 7, %s)", (JUNE_FIRST,))
    hold = f"UPDATE account a SET {at(instant, HOLD_MORE)} FROM (SELECT 3::numeric AS total, 1 AS messages) s"
    await rows(database_url, hold)
    assert await rows(database_url, "SELECT day_spent, spend_day FROM account") == [expected]
