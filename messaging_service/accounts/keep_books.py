"""Books payments, corrections and refunds, and shows and verifies what is booked."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from messaging_service.accounts.domain.ledger import EntryKind, LedgerPage, NewEntry, Statement, Verified
from messaging_service.accounts.ledger_store import Booked, LedgerStore, Refunded
from service_kit.audit.actor import Actor

MAX_FAULTS = 1_000
"""Most faults, and most shared references, in one answer."""


class KeepBooks:
    """The use case behind the calls about the ledger of accounts.

    Every method raises ServiceError DATABASE_UNAVAILABLE, and ACCOUNT_NOT_FOUND for an account that there is not.
    """

    def __init__(self, books: LedgerStore) -> None:
        self._books = books

    async def top_up(
        self,
        account_id: str,
        amount: Decimal,
        reference: str,
        booked_by: str,
        *,
        override_reason: str | None,
        actor: Actor,
    ) -> Booked:
        """Books a payment of KES under the payer's reference, without the spaces around it.

        A reference stands for one payment over all accounts, in whatever spelling, unless an operator says in
        `override_reason` why this is another one. Raises ServiceError REFERENCE_REUSED or ACCOUNT_CLOSED.
        """
        entry = NewEntry(account_id, EntryKind.TOP_UP, amount, reference.strip(), override_reason, booked_by)
        return await self._books.book(entry, actor)

    async def adjust(
        self, account_id: str, amount: Decimal, reference: str | None, reason: str, booked_by: str, *, actor: Actor
    ) -> Booked:
        """Books a correction of KES, below 0 to take money away. Raises ServiceError REFERENCE_REUSED."""
        entry = NewEntry(account_id, EntryKind.ADJUSTMENT, amount, reference, reason, booked_by)
        return await self._books.book(entry, actor)

    async def refund(
        self, message_id: UUID, reason: str, booked_by: str, attempt: int | None, *, actor: Actor
    ) -> Refunded:
        """Pays the charge of an attempt back, or every charge that is not paid back yet when no attempt is named.

        Raises ServiceError OUTBOX_ENTRY_NOT_FOUND or NOT_CHARGED.
        """
        return await self._books.refund(message_id, reason, booked_by, attempt, actor=actor)

    async def entries(
        self,
        account_id: str,
        start: datetime,
        end: datetime,
        limit: int,
        after: tuple[datetime, int] | None,
        *,
        through: int | None,
    ) -> LedgerPage:
        """Entries booked in a period, oldest first; as LedgerStore.entries."""
        return await self._books.entries(account_id, start, end, limit, after, through=through)

    async def statement(self, account_id: str, start: datetime, end: datetime, *, through: int | None) -> Statement:
        """A period of an account; as LedgerStore.statement."""
        return await self._books.statement(account_id, start, end, through=through)

    async def verify(self, account_id: str | None) -> Verified:
        """Recomputes the books of one account, or of all for None; at most MAX_FAULTS faults."""
        return await self._books.verify(account_id, MAX_FAULTS)
