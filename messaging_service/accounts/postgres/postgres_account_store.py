"""Accounts as their owners see them, in PostgreSQL."""

from __future__ import annotations

from typing_extensions import override

from messaging_service.accounts.account_store import AccountStore
from messaging_service.accounts.domain.account import Account
from messaging_service.accounts.postgres.account_rows import get_account, update_account
from messaging_service.shared.postgres.database_errors import migrated
from service_kit.postgres.database import Pool, single_statement


class PostgresAccountStore(AccountStore):
    """Implements AccountStore on a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @override
    async def account(self, account_id: str) -> Account | None:
        async with migrated(single_statement(self._pool)) as connection:
            return await get_account(connection, account_id)

    @override
    async def update(self, account_id: str, *, resend_unknown: bool) -> Account | None:
        async with migrated(single_statement(self._pool)) as connection:
            return await update_account(connection, account_id, resend_unknown)
