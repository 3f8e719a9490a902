"""Bookings of an account, and what must hold of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

LARGEST_BOOKING = Decimal(1_000_000_000)
"""KES; anything larger is a slip of the hand."""


class EntryKind(StrEnum):
    """What a booking is."""

    CHARGE = "charge"
    """A message that a carrier accepted; 0 or below."""
    REFUND = "refund"
    """A charge that was paid back; 0 or above."""
    TOP_UP = "top_up"
    """A payment; above 0."""
    ADJUSTMENT = "adjustment"
    """A correction by an operator; not 0."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One booking; never changed or removed."""

    id: int
    account_id: str
    kind: EntryKind
    amount: Decimal
    """KES added to the balance."""
    booked_at: datetime
    message_id: UUID | None
    """Of a charge or refund; None otherwise."""
    attempt: int | None
    """Of the message, 1 for the first: a charge is that of one attempt, and a refund pays back that charge. None
    without a message."""
    reference: str | None
    """The other side's name for it: of a payment unique over all accounts, unless an operator said otherwise, of others
    within the account. None for none."""
    reason: str | None
    booked_by: str | None
    """None for charges, and for refunds that no operator made."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A payment or correction to book."""

    account_id: str
    kind: EntryKind
    amount: Decimal
    reference: str | None
    reason: str | None
    """Of a payment: why an operator books it although its reference is on record; None for any other."""
    booked_by: str


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """Some entries of a period."""

    entries: Sequence[LedgerEntry]
    """Oldest first."""
    through: int
    """As in Statement: the other pages, and the statement that they add up to, stop at it, too."""


@dataclass(frozen=True, slots=True)
class KindTotal:
    """All entries of one kind."""

    entries: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """A period of an account."""

    opening: Decimal
    """The balance before the period, KES, without holds."""
    totals: Mapping[EntryKind, KindTotal]
    through: int
    """The highest number of an entry that may be counted in it: entries listed up to it are those that it counts,
    whatever was booked since. 0 when there was none."""

    @property
    def closing(self) -> Decimal:
        """The balance at the end of the period."""
        return self.opening + sum((total.amount for total in self.totals.values()), Decimal(0))


class Rule(StrEnum):
    """What must hold of the books."""

    POSTED = "POSTED_IS_SUM_OF_ENTRIES"
    HELD = "HELD_IS_SUM_OF_HOLDS"
    PREPAID = "PREPAID_WITHIN_LIMIT"
    CHARGED = "CHARGED_ONCE_IF_ACCEPTED"
    EARLIER = "EARLIER_ATTEMPTS_CHARGED_IF_ACCEPTED"
    AMOUNT = "CHARGE_IS_THE_TOTAL"
    TOTAL = "TOTAL_IS_UNITS_TIMES_PRICE"


COUNTED = frozenset({Rule.CHARGED, Rule.EARLIER})
"""The rules about numbers of entries."""


@dataclass(frozen=True, slots=True)
class BookFault:
    """Something that does not add up."""

    account_id: str
    rule: Rule
    recorded: Decimal
    """What is on record: KES, or a number of entries for a rule in COUNTED."""
    expected: Decimal
    message_id: UUID | None = None
    """The message at fault; None for an account."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a look at the books found."""

    accounts: int
    messages: int
    entries: int
    faults: tuple[BookFault, ...]
    """At most as many as were asked for."""
    shared: tuple[tuple[LedgerEntry, ...], ...] = ()
    """Payments whose references may stand for the same one, two or more together, the first one first: credited twice
    perhaps, and no fault of the books. At most as many as were asked for."""
