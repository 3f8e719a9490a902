"""Accounts as a dictionary: the same that an outbox in memory charges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from messaging_service.accounts.domain.account import Account, AccountChanges, AccountMode, AccountStatus
from messaging_service.accounts.domain.account_limits import AccountLimits
from service_kit.audit.actor import Actor
from service_kit.errors import Kind, ServiceError
from tests.doubles.in_memory_outbox import Book


class InMemoryAccounts:
    """Implements AccountStore."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def account(self, account_id: str) -> Account | None:
        return self._book.accounts.get(account_id)

    async def open(
        self, account_id: str, mode: AccountMode, credit_limit: Decimal, limits: AccountLimits, *, actor: Actor
    ) -> tuple[Account, bool]:
        known = self._book.accounts.get(account_id)
        if known is None:
            opened = Account(
                account_id,
                mode,
                AccountStatus.ACTIVE,
                posted=Decimal(0),
                held=Decimal(0),
                credit_limit=credit_limit,
                created_at=datetime.now(UTC),
                limits=limits,
            )
            self._book.accounts[account_id] = opened
            return opened, False
        if (known.mode, known.credit_limit, known.limits) != (mode, credit_limit, limits):
            raise ServiceError(Kind.ALREADY_EXISTS, "ACCOUNT_EXISTS", "the account exists with other terms")
        return known, True

    async def update(self, account_id: str, changes: AccountChanges, *, actor: Actor) -> Account | None:
        if account_id not in self._book.accounts:
            return None
        changed = self._book.accounts[account_id].changed(changes)
        self._book.accounts[account_id] = changed
        return changed

    async def accounts(
        self, mode: AccountMode | None, status: AccountStatus | None, limit: int, after: str | None
    ) -> Sequence[Account]:
        wanted = [
            account
            for account in self._book.accounts.values()
            if mode in {None, account.mode} and status in {None, account.status} and account.id > (after or "")
        ]
        return sorted(wanted, key=lambda account: account.id)[:limit]
