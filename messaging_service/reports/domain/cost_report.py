"""What messages came to, by groups and one by one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from messaging_service.shared.domain.money import PriceLevel
from messaging_service.shared.domain.states import Billing, State


class Grouping(StrEnum):
    """What a cost report is broken down by."""

    DAY = "day"
    """Of Nairobi: of the creation of the message, or of the booking, as the basis says."""
    ACCOUNT = "account"
    APP = "app"
    SENDER = "sender"
    LEVEL = "level"
    CARRIER = "carrier"
    """Of the present attempt."""
    TAG = "tag"
    """A message is in the group of each of its tags."""


class Basis(StrEnum):
    """What a period of a cost report is about."""

    CREATION = "creation"
    """Messages that were created in it, with all that was charged and refunded for them, whenever it was."""
    BOOKING = "booking"
    """Charges and refunds that were booked in it, as statements have them, whenever the messages were created. A period
    that is over does not change any more."""


@dataclass(frozen=True, slots=True)
class CostSums:
    """What some messages come to. By BOOKING, each charge counts as a message with its units, and nothing is held."""

    messages: int
    units: int
    charged: Decimal
    """KES that the ledger has as charges of them, all attempts; 0 or above."""
    refunded: Decimal
    """KES of these that were paid back; 0 or above."""
    held: Decimal
    """KES reserved for those whose outcome is open."""


@dataclass(frozen=True, slots=True)
class CostGroup:
    """Messages that have the same keys."""

    keys: tuple[str | None, ...]
    """One for each grouping, in its order; None where messages have none, for instance no app."""
    sums: CostSums


@dataclass(frozen=True, slots=True)
class ReportedMessage:
    """A message, as far as it is about money."""

    id: UUID
    account_id: str
    app_id: str | None
    client_message_id: str
    created_at: datetime
    sent_at: datetime | None
    """When a carrier accepted it; None for never."""
    recipient: str
    """E.164."""
    sender_id: str
    state: State
    billing: Billing
    units: int
    unit_price: Decimal
    level: PriceLevel
    charged: Decimal
    """KES that the ledger has as charges of it, all attempts."""
    refunded: Decimal
    """KES of these that were paid back."""
    carrier: str | None
    carrier_parts: int | None
    """Parts that the carrier says it took; None where it does not say."""
    carrier_cost: Decimal | None
    """KES that the carrier says it costs us; None where it does not say."""
    tags: tuple[str, ...]
    error_code: str | None
