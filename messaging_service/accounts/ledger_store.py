"""The port to the ledger of accounts: each method is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from messaging_service.accounts.domain.account import Account
from messaging_service.accounts.domain.ledger import LedgerEntry, LedgerPage, NewEntry, Statement, Verified
from service_kit.audit.actor import Actor


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


class LedgerStore(Protocol):
    """What is booked on accounts.

    Every method raises ServiceError DATABASE_UNAVAILABLE when the database cannot be reached, and those that need an
    account raise ACCOUNT_NOT_FOUND.
    """

    async def book(self, entry: NewEntry, actor: Actor) -> Booked:
        """Books a payment or correction, which is audited. Raises REFERENCE_REUSED, ACCOUNT_CLOSED.

        The reference of a payment stands for one over all accounts, in whatever spelling; a payment with a reason is
        booked although its reference is on record.
        """
        ...

    async def refund(
        self, message_id: UUID, reason: str, booked_by: str, attempt: int | None = None, *, actor: Actor
    ) -> Refunded:
        """Pays the charge of an attempt back; without one, every charge of the message that is not paid back yet.

        Each charge is paid back once, and that is audited. Raises OUTBOX_ENTRY_NOT_FOUND, NOT_CHARGED.
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
        """Recomputes the books of one account or of all from one snapshot; `limit`: most faults."""
        ...
