"""The port to accounts and their terms: each method is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from messaging_service.accounts.domain.account import Account, AccountChanges, AccountMode, AccountStatus
from messaging_service.accounts.domain.account_limits import AccountLimits
from messaging_service.shared.domain import reasons
from service_kit.audit.actor import Actor
from service_kit.errors import Kind, ServiceError


def no_such_account(account_id: str) -> ServiceError:
    """The error for an account that has neither been opened nor sent anything."""
    return ServiceError(
        Kind.NOT_FOUND,
        reasons.ACCOUNT_NOT_FOUND,
        f"account {account_id} has neither been opened nor sent anything; check the id, or open it",
        metadata={"account": account_id},
    )


class AccountStore(Protocol):
    """Accounts as they stand; what is booked on them is behind LedgerStore. What an actor changes is audited.

    Every method raises ServiceError DATABASE_UNAVAILABLE when the database cannot be reached.
    """

    async def open(
        self, account_id: str, mode: AccountMode, credit_limit: Decimal, limits: AccountLimits, *, actor: Actor
    ) -> tuple[Account, bool]:
        """Opens an account, or finds it as it stands; whether it existed, with whatever terms."""
        ...

    async def update(self, account_id: str, changes: AccountChanges, *, actor: Actor) -> Account | None:
        """Changes an account, which is locked meanwhile; as it stands afterwards, None when there is none.

        Raises INSUFFICIENT_FUNDS, ACCOUNT_HAS_HOLDS, ACCOUNT_HAS_BALANCE, ACCOUNT_CLOSED.
        """
        ...

    async def account(self, account_id: str) -> Account | None:
        """One account; None when it has neither been opened nor sent anything."""
        ...

    async def accounts(
        self, mode: AccountMode | None, status: AccountStatus | None, limit: int, after: str | None
    ) -> Sequence[Account]:
        """Accounts in the order of their ids, those behind an id; None is any."""
        ...
