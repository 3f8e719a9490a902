"""The port through which reports ask the price book about the past."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from messaging_service.prices.domain.book_prices import BookPrice, BookQuestion, DraftPrice, Tier, TierHistory


class PriceBook(Protocol):
    """Every call raises ServiceError PRICING_UNAVAILABLE when the book does not answer."""

    async def present(self, drafts: Sequence[DraftPrice] = ()) -> datetime:
        """The present instant on the book's clock, never one that it has not reached.

        Raises ServiceError INVALID that names the drafts at fault, so that they are known before anything is read.
        """
        ...

    async def prices(
        self, questions: Sequence[BookQuestion], drafts: Sequence[DraftPrice] = ()
    ) -> Sequence[BookPrice | None]:
        """The price for each question in their order; None where there is none.

        Drafts count as if each were the newest revision of its tier and instant.
        """
        ...

    async def histories(self, tiers: Sequence[Tier]) -> Sequence[TierHistory]:
        """When each tier changed, in their order, with everything that is recorded by now."""
        ...
