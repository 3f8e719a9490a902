"""The port to accounts' terms and their ledger: each method is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from messaging_service.accounts.domain.account import Account, AccountLimits, AccountMode, AccountStatus
from messaging_service.accounts.domain.ledger import LedgerEntry, LedgerPage, NewEntry, Statement, Verified
from service_kit.errors import Kind, ServiceError


@dataclass(frozen=True, slots=True)
class NewTerms:
    """Terms to set; None leaves one as it is."""

    mode: AccountMode | None = None
    status: AccountStatus | None = None
    credit_limit: Decimal | None = None
    limits: AccountLimits | None = None
    """All limits anew."""


@dataclass(frozen=True, slots=True)
class Booked:
    """An entry on record."""

    entry: LedgerEntry
    replayed: bool
    """True when it was on record before and nothing was booked now."""
    account: Account
    """As it stands after it."""


@dataclass(frozen=True, slots=True)
class Refunded:
    """The refunds of a message's charges."""

    entries: Sequence[LedgerEntry]
    """One for each charge that was asked for and is paid back, by attempt. At least one."""
    replayed: bool
    """True when all of them were on record before: `entries` are those, and nothing was booked now."""


def no_such_account(account_id: str) -> ServiceError:
    """The error for an account that has neither been opened nor sent anything."""
    return ServiceError(
        Kind.NOT_FOUND,
        "ACCOUNT_NOT_FOUND",
        f"account {account_id} has neither been opened nor sent anything; check the id, or open it",
        metadata={"account": account_id},
    )


class LedgerStore(Protocol):
    """Accounts and what is booked on them.

    Every method raises ServiceError DATABASE_UNAVAILABLE when the database cannot be reached, and those that need an
    account raise ACCOUNT_NOT_FOUND.
    """

    async def open(
        self, account_id: str, mode: AccountMode, credit_limit: Decimal, limits: AccountLimits
    ) -> tuple[Account, bool]:
        """Opens an account; whether it existed with these terms. Raises ACCOUNT_EXISTS when with others."""
        ...

    async def set_terms(self, account_id: str, terms: NewTerms) -> Account:
        """Changes terms. Raises INSUFFICIENT_FUNDS, ACCOUNT_HAS_HOLDS, ACCOUNT_CLOSED."""
        ...

    async def account(self, account_id: str) -> Account:
        """The account as it stands."""
        ...

    async def accounts(
        self, mode: AccountMode | None, status: AccountStatus | None, limit: int, after: str | None
    ) -> Sequence[Account]:
        """Accounts in the order of their ids, those behind an id; None is any."""
        ...

    async def book(self, entry: NewEntry) -> Booked:
        """LedgerStore a payment or correction. Raises REFERENCE_REUSED, ACCOUNT_CLOSED.

        The reference of a payment stands for one over all accounts, in whatever spelling; a payment with a reason is
        booked although its reference is on record.
        """
        ...

    async def refund(self, message_id: UUID, reason: str, booked_by: str, attempt: int | None = None) -> Refunded:
        """Pays the charge of an attempt back; without one, every charge of the message that is not paid back yet.

        Each charge is paid back once. Raises OUTBOX_ENTRY_NOT_FOUND, NOT_CHARGED.
        """
        ...

    async def entries(
        self,
        account_id: str,
        start: datetime,
        end: datetime,
        limit: int,
        after: tuple[datetime, int] | None,
        *,
        through: int | None = None,
    ) -> LedgerPage:
        """Entries booked from `start` to before `end`, oldest first, those behind a time and number.

        `through`: as another read said, so that both agree; None for what is booked now.
        """
        ...

    async def statement(
        self, account_id: str, start: datetime, end: datetime, *, through: int | None = None
    ) -> Statement:
        """A period of an account, from `start` to before `end`; `through` as for `entries`."""
        ...

    async def verify(self, account_id: str | None, limit: int) -> Verified:
        """Recomputes the books of one account or of all from one snapshot; at most so many faults."""
        ...
