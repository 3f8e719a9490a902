"""Rows of the account table."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from messaging_service.domain.accounts import Account, AccountMode, AccountStatus
from service_kit.database import Connection

ACCOUNT_COLUMNS = "id, mode, status, posted, held, credit_limit, created_at, resend_unknown"
ACCOUNT_WIDTH = 8
"""How many columns that is."""
_LOCK = f"SELECT {ACCOUNT_COLUMNS} FROM account WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_CREATE = "INSERT INTO account (id) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING"
_UPDATE = f"UPDATE account SET resend_unknown = %s WHERE id = %s RETURNING {ACCOUNT_COLUMNS}"
_GET = f"SELECT {ACCOUNT_COLUMNS} FROM account WHERE id = %s"


def to_account(row: tuple[Any, ...]) -> Account:
    """One row of ACCOUNT_COLUMNS; further columns are ignored."""
    return Account(row[0], AccountMode(row[1]), AccountStatus(row[2]), row[3], row[4], row[5], row[6], row[7])


async def lock_accounts(connection: Connection, ids: Collection[str]) -> dict[str, Account]:
    """Locks accounts that exist, in the order of their ids."""
    cursor = await connection.execute(_LOCK, (sorted(ids),))
    return {row[0]: to_account(row) for row in await cursor.fetchall()}


async def open_accounts(connection: Connection, ids: Collection[str]) -> None:
    """Opens those accounts that do not exist, as postpaid. Begins the caller's transaction anew."""
    # To hold accounts while waiting for somebody who is opening another one is a deadlock in the making.
    await connection.execute("ROLLBACK AND CHAIN")
    await connection.execute(_CREATE, (sorted(ids),))


async def get_account(connection: Connection, account_id: str) -> Account | None:
    """One account; None when there is none."""
    cursor = await connection.execute(_GET, (account_id,))
    row = await cursor.fetchone()
    return None if row is None else to_account(row)


async def update_account(connection: Connection, account_id: str, resend_unknown: bool) -> Account | None:
    """See Outbox.update_account."""
    row = await (await connection.execute(_UPDATE, (resend_unknown, account_id))).fetchone()
    return None if row is None else to_account(row)
