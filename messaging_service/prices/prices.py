"""The port to the price book."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from messaging_service.shared.domain.money import SendPrice


class Prices(Protocol):
    """Knows what one unit costs."""

    async def price_of(self, customer_id: str, app_id: str | None, at: datetime | None) -> SendPrice:
        """The price in effect at an instant, or now on the price book's clock when it is None.

        Raises ServiceError NO_PRICE when no level has one, PRICING_UNAVAILABLE when the price book does
        not answer; a message is never sent unpriced.
        """
        ...
