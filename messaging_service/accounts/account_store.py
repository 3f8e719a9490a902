"""The port to accounts as their owners see them: each method is one transaction."""

from __future__ import annotations

from typing import Protocol

from messaging_service.accounts.domain.account import Account


class AccountStore(Protocol):
    """Accounts, and the choices of their owners; terms and bookings are behind LedgerStore.

    Every method raises ServiceError DATABASE_UNAVAILABLE when the database cannot be reached.
    """

    async def account(self, account_id: str) -> Account | None:
        """One account; None when it has neither been opened nor sent anything."""
        ...

    async def update(self, account_id: str, *, resend_unknown: bool) -> Account | None:
        """Sets whether messages are sent again whose outcome becomes unknown from then on.

        The account afterwards; None when there is none.
        """
        ...
