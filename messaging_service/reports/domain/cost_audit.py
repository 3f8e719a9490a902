"""Whether the price on record of a message is the one of the price book, and if not, why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from messaging_service.prices.domain.book_prices import BookPrice
from messaging_service.shared.domain.money import Price


class Cause(StrEnum):
    """Why the price of an entry is not what the book says."""

    LATE_ENTRY = "late_entry"
    """A row that was recorded after the entry takes effect at or before its price instant."""
    REVISED_AFTER = "revised_after"
    """A newer revision of the row was recorded after the entry."""
    STALE_PRICE = "stale_price"
    """The row of now was recorded before the entry, but the one who accepted it had not received it yet."""
    WITHDRAWN = "withdrawn"
    """The row was withdrawn after the entry, and what applies instead would not have applied beside it."""
    MISSING_ROW = "missing_row"
    """The book has no price for the entry, neither then nor now."""
    MISPRICED = "mispriced"
    """The price on record is not the one that the book had then."""


@dataclass(frozen=True, slots=True)
class PricedEntry:
    """What an audit needs of an entry of the outbox."""

    id: UUID
    account_id: str
    app_id: str | None
    created_at: datetime
    scheduled_at: datetime | None
    units: int
    price: Price
    """As frozen at acceptance."""
    is_charged: bool
    priced_at: datetime | None
    """The instant that the price is of; None for entries recorded before it was kept."""
    price_known_at: datetime | None
    """When the newest change that the book had then was recorded; None when it was not kept."""

    @property
    def is_exact(self) -> bool:
        """Whether the price can be derived exactly as it was found."""
        return self.priced_at is not None and self.price_known_at is not None

    @property
    def known_at(self) -> datetime:
        """What was known when it was priced: at acceptance, as far as anybody can tell, where that was not kept."""
        return self.created_at if self.price_known_at is None else self.price_known_at

    @property
    def price_instant(self) -> datetime:
        """What it was priced for.

        Where that was not kept, the scheduled time when that lay ahead at acceptance, else the acceptance.
        """
        if self.priced_at is not None:
            return self.priced_at
        if self.scheduled_at is not None and self.scheduled_at > self.created_at:
            return self.scheduled_at
        return self.created_at


@dataclass(frozen=True, slots=True)
class CostException:
    """An entry whose price is not what the book says."""

    entry: PricedEntry
    then: BookPrice | None
    """As the book was known when the entry was priced; None when it had no price."""
    now: BookPrice | None
    """As the book is known now; None when it has no price."""
    cause: Cause


@dataclass(slots=True)
class AuditTotals:
    """What an audit saw so far."""

    entries: int = 0
    as_known_then: int = 0
    as_known_now: int = 0
    exceptions: int = 0
    approximate: int = 0
    """Entries without a record of what was known when they were priced: their acceptance stands for it."""
    difference: Decimal = Decimal(0)
    """KES: what the book says now less what was charged, over the charged exceptions that it has a price for."""

    def add(self, entry: PricedEntry, then: BookPrice | None, now: BookPrice | None) -> CostException | None:
        """Counts an entry; gives the exception when it is one."""
        self.entries += 1
        self.approximate += not entry.is_exact
        self.as_known_then += _same(entry, then)
        self.as_known_now += _same(entry, now)
        cause = cause_of(entry, then, now)
        if cause is None:
            return None
        self.exceptions += 1
        if entry.is_charged and now is not None:
            self.difference += (now.price.unit_price - entry.price.unit_price) * entry.units
        return CostException(entry, then, now, cause)


def cause_of(entry: PricedEntry, then: BookPrice | None, now: BookPrice | None) -> Cause | None:
    """Why the price on record is not the one of the book; None when it is, then and now.

    A book only changes by rows that are recorded and rows that are withdrawn. So when the entry had the price
    of then and another one applies now, either the row of now was recorded after the entry and beats the one
    of then, or the row of then was withdrawn: without that it would still apply. "After the entry" is after what was
    known when it was priced, which a change that reached its sender late precedes.
    """
    if then is None and now is None:
        return Cause.MISSING_ROW
    if not _same(entry, then):
        # A price that the book did not have at acceptance but has now came with a later row. Where it is on record
        # what the book had, nobody can have known that price.
        late = then is None and _same(entry, now) and not entry.is_exact
        return Cause.LATE_ENTRY if late else Cause.MISPRICED
    if _same(entry, now):
        return None
    if then is None or now is None or now.recorded_at <= entry.known_at or not now.beats(then):
        return Cause.WITHDRAWN
    if now.recorded_at <= entry.created_at:
        return Cause.STALE_PRICE
    return Cause.REVISED_AFTER if now.revises(then) else Cause.LATE_ENTRY


def _same(entry: PricedEntry, book: BookPrice | None) -> bool:
    return book is not None and book.price.unit_price == entry.price.unit_price
