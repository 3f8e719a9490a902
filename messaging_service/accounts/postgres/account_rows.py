"""Rows of the account table."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from messaging_service.accounts.domain.account import Account, AccountLimits, AccountMode, AccountStatus, AccountUsage
from service_kit.postgres.database import Connection
from service_kit.postgres.pipeline import ROLLBACK_AND_CHAIN, Statement, Step

_TODAY = "(now() AT TIME ZONE INTERVAL '3 hours')::date"
_MINUTE = "date_trunc('minute', now())"
ACCOUNT_COLUMNS = f"""
    id, mode, status, posted, held, credit_limit, created_at, resend_unknown, daily_spend_limit, minute_limit,
    recipient_hour_limit, CASE WHEN spend_day = {_TODAY} THEN day_spent ELSE 0 END AS spent_today,
    CASE WHEN counted_minute = {_MINUTE} THEN minute_count ELSE 0 END AS sent_this_minute, now() AS as_of,
    overdrawn
"""
ACCOUNT_NAMES = (
    "id, mode, status, posted, held, credit_limit, created_at, resend_unknown, daily_spend_limit, minute_limit, "
    "recipient_hour_limit, spent_today, sent_this_minute, as_of, overdrawn"
)
"""The same, read from a part of a query that selected them."""
ACCOUNT_WIDTH = 15
"""How many columns that is."""
HOLD_MORE = f"""
    held = a.held + s.total,
    day_spent = CASE WHEN a.spend_day = {_TODAY} THEN a.day_spent ELSE 0 END + s.total, spend_day = {_TODAY},
    minute_count = CASE WHEN a.counted_minute = {_MINUTE} THEN a.minute_count ELSE 0 END + s.messages,
    counted_minute = {_MINUTE}
"""
"""What changes about an account `a` when `s.messages` for `s.total` are put on hold."""
_LOCK = Statement(f"SELECT {ACCOUNT_COLUMNS} FROM account WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE")
_CREATE = Statement(
    "INSERT INTO account (id, mode) SELECT unnest(%(ids)s::text[]), %(mode)s::text ON CONFLICT DO NOTHING"
)
_GET = f"SELECT {ACCOUNT_COLUMNS} FROM account WHERE id = %s"


def to_account(row: tuple[Any, ...]) -> Account:
    """One row of ACCOUNT_COLUMNS; further columns are ignored."""
    return Account(
        row[0],
        AccountMode(row[1]),
        AccountStatus(row[2]),
        row[3],
        row[4],
        row[5],
        row[6],
        row[7],
        AccountLimits(row[8], row[9], row[10]),
        AccountUsage(row[11], row[12], row[13]),
        row[14],
    )


async def lock_accounts(connection: Connection, ids: Collection[str]) -> dict[str, Account]:
    """Locks accounts that exist, in the order of their ids."""
    (rows,) = await connection.trip(hold_accounts(ids))
    return {row[0]: to_account(row) for row in rows}


def hold_accounts(ids: Collection[str]) -> Step:
    """`lock_accounts` as a step of a trip, for who need not know how they stand."""
    return _LOCK(ids=sorted(ids))


async def open_accounts(connection: Connection, ids: Collection[str], mode: AccountMode) -> None:
    """Opens those accounts that do not exist. Begins the caller's transaction anew."""
    # To hold accounts while waiting for somebody who is opening another one is a deadlock in the making.
    await connection.trip(ROLLBACK_AND_CHAIN, _CREATE(ids=sorted(ids), mode=mode.value))


async def get_account(connection: Connection, account_id: str) -> Account | None:
    """One account; None when there is none."""
    cursor = await connection.execute(_GET, (account_id,))
    row = await cursor.fetchone()
    return None if row is None else to_account(row)
