"""Exact money: shillings as Decimal inside, whole micros at the edges."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

MICROS_PER_KES = 1_000_000


def to_micros(amount: Decimal) -> int:
    """KES to micros; raises ValueError when the amount has more than 6 decimals."""
    micros = amount * MICROS_PER_KES
    whole = int(micros)
    if whole != micros:
        raise ValueError("amount has more than 6 decimals")
    return whole


def from_micros(micros: int) -> Decimal:
    """Micros to KES, exactly."""
    return Decimal(micros).scaleb(-6)


def plain(amount: Decimal) -> str:
    """An amount for people and programs, exactly, without zeros that say nothing: `0.7`, `100`."""
    return f"{amount.normalize():f}"


class PriceLevel(StrEnum):
    """The tiers of the price book."""

    TUKUPAY = "tukupay"
    APP_OWNER = "app_owner"
    SPECIFIC_CUSTOMER = "specific_customer"
    DIRECT_CUSTOMER = "direct_customer"


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one SMS unit, with the row of the price book that it comes from."""

    unit_price: Decimal
    """KES for one unit."""
    cost_id: str
    level: PriceLevel
    """The tier of that row."""

    def total(self, units: int) -> Decimal:
        """KES for a message of `units` units, exactly."""
        return self.unit_price * units


@dataclass(frozen=True, slots=True)
class SendPrice:
    """A price for a send, and what it takes to derive it again."""

    price: Price
    at: datetime
    """The instant that it is the price of, on the book's clock, UTC."""
    known_at: datetime | None
    """When the newest change that the book had was recorded, on the book's clock, UTC: asked for `at` as known then,
    the book gives this price ever after. None when the book did not say."""


FREE: Final = Price(Decimal(0), "test", PriceLevel.TUKUPAY)
"""The price of a test message. It is of no row of the price book: its cost id says so."""


def free_of_charge(at: datetime) -> SendPrice:
    """The price of a test message that is due at an instant."""
    return SendPrice(FREE, at, None)
