"""What past traffic cost, and what it would have cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from messaging_service.prices.domain.book_prices import BookPrice
from messaging_service.shared.domain.money import PriceLevel


@dataclass(frozen=True, slots=True)
class Traffic:
    """Charged messages of one account through one app, or through none."""

    account_id: str
    app_id: str | None
    first: datetime
    """The earliest instant that any of them was priced for."""
    last: datetime
    """The latest."""
    messages: int
    units: int
    total: Decimal
    """KES that were charged for them."""


@dataclass(slots=True)
class RehearsedTotal:
    """Old and new amounts of some traffic, in KES."""

    messages: int = 0
    units: int = 0
    old: Decimal = Decimal(0)
    new: Decimal = Decimal(0)

    @property
    def difference(self) -> Decimal:
        """What it would have cost more; negative when less."""
        return self.new - self.old

    def add(self, messages: int, units: int, old: Decimal, new: Decimal) -> None:
        """Takes in more traffic."""
        self.messages += messages
        self.units += units
        self.old += old
        self.new += new


@dataclass(frozen=True, slots=True)
class Superseder:
    """The price that applied where a draft could have: a row of the book, or another draft."""

    cost_id: str
    level: PriceLevel
    effective_from: datetime


@dataclass(frozen=True, slots=True)
class DraftEffect:
    """What one draft did."""

    messages: int
    units: int
    new: Decimal
    """KES that it would have charged for them."""
    superseded_by: Superseder | None
    """What priced most of the messages that the draft could have priced and did not; None when there are none."""


@dataclass(slots=True)
class Rehearsal:
    """The sums of a period, in several groupings."""

    total: RehearsedTotal = field(default_factory=RehearsedTotal)
    by_customer: dict[str, RehearsedTotal] = field(default_factory=dict)
    by_app: dict[str, RehearsedTotal] = field(default_factory=dict)
    """The traffic through no app has an empty key."""
    by_level: dict[str, RehearsedTotal] = field(default_factory=dict)
    """By the level whose price would apply."""
    unpriced_messages: int = 0
    """For these neither the book nor the drafts have a price; they are in no other number."""
    drafts: Sequence[DraftEffect] = ()
    """What each draft did, in their order."""

    def add(self, traffic: Traffic, book: BookPrice | None) -> None:
        """Takes in traffic, perhaps of nothing, of which every message would have that price."""
        if traffic.messages == 0:
            return
        if book is None:
            self.unpriced_messages += traffic.messages
            return
        new = book.price.total(traffic.units)
        for total in (
            self.total,
            self.by_customer.setdefault(traffic.account_id, RehearsedTotal()),
            self.by_app.setdefault(traffic.app_id or "", RehearsedTotal()),
            self.by_level.setdefault(book.price.level.value, RehearsedTotal()),
        ):
            total.add(traffic.messages, traffic.units, traffic.total, new)


def largest_first(totals: Iterable[tuple[str, RehearsedTotal]]) -> list[tuple[str, RehearsedTotal]]:
    """The largest difference first, whichever way it goes; equal ones by their key."""
    return sorted(totals, key=lambda item: (-abs(item[1].difference), item[0]))
