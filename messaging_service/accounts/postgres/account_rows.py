"""Rows of the account table."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from messaging_service.accounts.domain.account import Account, AccountMode
from messaging_service.accounts.domain.account_limits import DAY_STARTS_AT, AccountLimits, AccountUsage
from messaging_service.shared.postgres.record_columns import RecordColumns
from service_kit.postgres.database import Connection
from service_kit.postgres.pipeline import ROLLBACK_AND_CHAIN, Statement, Step

TODAY: Final = f"((now() AT TIME ZONE 'UTC') - make_interval(secs => {DAY_STARTS_AT.total_seconds():.0f}))::date"
MINUTE: Final = "date_trunc('minute', now())"
USAGE: Final = RecordColumns(
    AccountUsage,
    sql={
        "spent_today": f"CASE WHEN spend_day = {TODAY} THEN day_spent ELSE 0 END",
        "sent_this_minute": f"CASE WHEN counted_minute = {MINUTE} THEN minute_count ELSE 0 END",
        "as_of": "now()",
    },
)
"""Of a table that counts what is sent in a minute and spent in a day."""
ACCOUNT: Final = RecordColumns(
    Account,
    parts={
        "limits": RecordColumns(
            AccountLimits,
            columns={
                "daily_spend": "daily_spend_limit",
                "messages_per_minute": "minute_limit",
                "messages_per_recipient_hour": "recipient_hour_limit",
                "messages_per_recipient_window": "recipient_window_limit",
                "otps_per_recipient_window": "otp_window_limit",
            },
        ),
        "usage": USAGE,
    },
)
"""Of the account table."""
HOLD_MORE = f"""
    held = a.held + s.total,
    day_spent = CASE WHEN a.spend_day = {TODAY} THEN a.day_spent ELSE 0 END + s.total, spend_day = {TODAY},
    minute_count = CASE WHEN a.counted_minute = {MINUTE} THEN a.minute_count ELSE 0 END + s.messages,
    counted_minute = {MINUTE}
"""
"""What changes about an account `a` when `s.messages` for `s.total` are put on hold."""
_LOCK = Statement(f"SELECT {ACCOUNT.sql} FROM account WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE")
_CREATE = Statement(
    "INSERT INTO account (id, mode) SELECT unnest(%(ids)s::text[]), %(mode)s::text ON CONFLICT DO NOTHING"
)
_GET = f"SELECT {ACCOUNT.sql} FROM account WHERE id = %s"


async def lock_accounts(connection: Connection, ids: Collection[str]) -> dict[str, Account]:
    """Locks accounts that exist, in the order of their ids."""
    (rows,) = await connection.trip(hold_accounts(ids))
    return {account.id: account for account in map(ACCOUNT.read, rows)}


def hold_accounts(ids: Collection[str]) -> Step:
    """`lock_accounts` as one statement of a pipeline, for callers that do not need the balances."""
    return _LOCK(ids=sorted(ids))


async def open_accounts(connection: Connection, ids: Collection[str], mode: AccountMode) -> None:
    """Opens those accounts that do not exist. Begins the caller's transaction anew."""
    # To hold accounts while waiting for somebody who is opening another one is a deadlock in the making.
    await connection.trip(ROLLBACK_AND_CHAIN, _CREATE(ids=sorted(ids), mode=mode.value))


async def get_account(connection: Connection, account_id: str) -> Account | None:
    """One account; None when there is none."""
    cursor = await connection.execute(_GET, (account_id,))
    row = await cursor.fetchone()
    return None if row is None else ACCOUNT.read(row)
