"""Accounts as a dictionary: the same that an outbox in memory charges."""

from __future__ import annotations

from dataclasses import replace

from messaging_service.accounts.domain.account import Account
from tests.doubles.in_memory_outbox import Book


class InMemoryAccounts:
    """Implements AccountStore."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def account(self, account_id: str) -> Account | None:
        return self._book.accounts.get(account_id)

    async def update(self, account_id: str, *, resend_unknown: bool) -> Account | None:
        if account_id not in self._book.accounts:
            return None
        changed = replace(self._book.accounts[account_id], resend_unknown=resend_unknown)
        self._book.accounts[account_id] = changed
        return changed
