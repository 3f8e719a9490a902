"""Rows of the account table."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from messaging_service.domain.accounts import Account, AccountMode, AccountStatus
from service_kit.database import Connection

_COLUMNS = "id, mode, status, posted, held, credit_limit, created_at"
_LOCK = f"SELECT {_COLUMNS} FROM account WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_CREATE = "INSERT INTO account (id) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING"
_GET = f"SELECT {_COLUMNS} FROM account WHERE id = %s"


def _to_account(row: tuple[Any, ...]) -> Account:
    return Account(row[0], AccountMode(row[1]), AccountStatus(row[2]), row[3], row[4], row[5], row[6])


async def lock_accounts(connection: Connection, ids: Collection[str]) -> dict[str, Account]:
    """Locks accounts in the order of their ids; those that do not exist are opened as postpaid.

    Opening any begins the transaction anew: who may meet unknown accounts locks before all else.
    """
    ordered = sorted(ids)
    accounts = await _lock(connection, ordered)
    if len(accounts) < len(ordered):
        # To hold accounts while waiting for somebody who is opening another one is a deadlock in the making.
        await connection.execute("ROLLBACK AND CHAIN")
        await connection.execute(_CREATE, (ordered,))
        accounts = await _lock(connection, ordered)
    return accounts


async def _lock(connection: Connection, ordered: list[str]) -> dict[str, Account]:
    cursor = await connection.execute(_LOCK, (ordered,))
    return {row[0]: _to_account(row) for row in await cursor.fetchall()}


async def get_account(connection: Connection, account_id: str) -> Account | None:
    """One account; None when there is none."""
    cursor = await connection.execute(_GET, (account_id,))
    row = await cursor.fetchone()
    return None if row is None else _to_account(row)
