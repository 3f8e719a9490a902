"""Says what a message would take and cost, and leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from messaging_service.domain.money import Price
from messaging_service.domain.segmentation import Segmentation
from messaging_service.domain.validation import MAX_IDENTIFIER, cut, text_problem
from messaging_service.use_cases.prices import Prices
from service_kit.errors import Violation, invalid


@dataclass(frozen=True, slots=True)
class Quote:
    """What a message would take and cost."""

    segmentation: Segmentation
    price: Price
    total: Decimal
    """KES."""


class QuoteSms:
    """The use case behind QuoteSms."""

    def __init__(self, prices: Prices, *, max_units: int, now: Callable[[], datetime]) -> None:
        self._prices = prices
        self._max_units = max_units
        self._now = now

    async def __call__(self, user_id: str, text: str, at: datetime | None, app_id: str | None) -> Quote:
        """Quotes for an instant; None or a past one means now.

        Raises ServiceError INVALID_ARGUMENT, NO_PRICE or PRICING_UNAVAILABLE.
        """
        violations: list[Violation] = []
        for field, value in (("user_id", user_id), ("app_id", app_id)):
            if value is not None and (problem := text_problem(value, MAX_IDENTIFIER)):
                violations.append(Violation(field, "INVALID_IDENTIFIER", problem))
        segmentation, fault = cut(text, self._max_units)
        if fault is not None:
            violations.append(fault)
        if violations or segmentation is None:
            raise invalid(violations)
        future = at if at is not None and at > self._now() else None
        price = await self._prices.price_of(user_id, app_id, future)
        return Quote(segmentation, price, price.total(segmentation.units))
