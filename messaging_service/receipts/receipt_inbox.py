"""The port to the durable inbox of delivery receipts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from messaging_service.carriers.domain.submission import DeliveryReceipt
from messaging_service.shared.domain.states import Billing


@dataclass(frozen=True, slots=True)
class Worked:
    """What one pass over the inbox did."""

    looked_at: int
    matched: int
    money: Mapping[Billing, Decimal] = field(default_factory=dict, compare=False)
    """KES that messages were charged, or got back, for what the receipts said."""


class ReceiptInbox(Protocol):
    """Where receipts are stored before they are acknowledged to a carrier."""

    async def store(self, receipts: Sequence[DeliveryReceipt]) -> None:
        """Stores receipts as they came, durably. Raises ServiceError when the database is away."""
        ...

    async def work(self, limit: int) -> Worked:
        """Applies up to `limit` waiting receipts to their messages; those without a match wait longer."""
        ...

    async def postpone_next(self) -> None:
        """Lets the receipt that would be worked next wait longer, as working it failed."""
        ...
