"""The price book as reports see it: questions about the past, and the rows that answer them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from messaging_service.shared.domain.money import Price, PriceLevel

STRENGTH: dict[PriceLevel, int] = {
    PriceLevel.SPECIFIC_CUSTOMER: 0,
    PriceLevel.APP_OWNER: 1,
    PriceLevel.DIRECT_CUSTOMER: 2,
    PriceLevel.TUKUPAY: 3,
}
"""Which level comes before which, the strongest first."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A level of the book, and whose prices it holds there."""

    level: PriceLevel
    entity: str
    """The customer or the app; empty for the two defaults."""


@dataclass(frozen=True, slots=True)
class BookQuestion:
    """Asks what one unit cost."""

    customer_id: str
    app_id: str | None
    """None for traffic through no app."""
    at: datetime
    """The instant to price for."""
    known_at: datetime
    """What was recorded or withdrawn after it does not count."""

    def tiers(self) -> tuple[Tier, ...]:
        """Where the price can come from."""
        own = (Tier(PriceLevel.SPECIFIC_CUSTOMER, self.customer_id),)
        app = () if self.app_id is None else (Tier(PriceLevel.APP_OWNER, self.app_id),)
        return (*own, *app, Tier(PriceLevel.DIRECT_CUSTOMER, ""), Tier(PriceLevel.TUKUPAY, ""))


@dataclass(frozen=True, slots=True)
class BookPrice:
    """The row that answers a question."""

    price: Price
    effective_from: datetime
    recorded_at: datetime
    revision: int
    valid_until: datetime | None
    """The first instant after the one asked for at which the answer may change; None when none is known."""

    def beats(self, other: BookPrice) -> bool:
        """Whether this row would apply where both count and have taken effect."""
        if self.price.level is not other.price.level:
            return STRENGTH[self.price.level] < STRENGTH[other.price.level]
        return (self.effective_from, self.revision) > (other.effective_from, other.revision)

    def revises(self, other: BookPrice) -> bool:
        """Whether this row is a newer revision of the other."""
        return (
            self.price.level is other.price.level
            and self.effective_from == other.effective_from
            and self.revision > other.revision
        )


class RowInstants(NamedTuple):
    """When a row of the book takes effect, and when it became known."""

    effective_from: datetime
    recorded_at: datetime
    withdrawn_at: datetime | None
    """None when it was not withdrawn."""


@dataclass(frozen=True, slots=True)
class TierHistory:
    """The instants at which a tier changed."""

    rows: tuple[RowInstants, ...]
    """Of every row ever recorded, the earliest to take effect first."""


@dataclass(frozen=True, slots=True)
class DraftPrice:
    """A price that is only tried out."""

    level: PriceLevel
    unit_price: Decimal
    """KES for one unit."""
    customer_id: str | None
    app_id: str | None
    effective_from: datetime

    @property
    def tier(self) -> Tier:
        """The tier that it would be a row of."""
        return Tier(self.level, self.customer_id or self.app_id or "")
