"""Filling the book in memory after the start, so that first questions need not wait for the database."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from pricing_service.domain.tier import Tier
from pricing_service.use_cases.cost_repository import CostRepository
from pricing_service.use_cases.grouped_reads import GroupedReads
from pricing_service.use_cases.price_book import PriceBook
from service_kit.errors import ServiceError

PAGE: Final = 100
"""Tiers in a step: some two milliseconds of work, which calls in between hardly notice."""
PAUSE_S: Final = 0.005
PATIENCE_S: Final = 1.0
"""Until the next try while the database is away."""


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Reads what every tier has now, until all are in the book or it is half full."""

    costs: CostRepository
    records: GroupedReads
    book: PriceBook[Any]

    async def __call__(self) -> int:
        """The tiers read; waits for the database as long as it takes."""
        count = 0
        last: Tier | None = None
        while not self.book.is_half_full:
            try:
                tiers = await self.costs.tiers_after(last, PAGE)
                if tiers:
                    # What is read there goes into the book, unless it changes at that moment.
                    await self.records.read(tiers)
            except ServiceError:
                await asyncio.sleep(PATIENCE_S)
                continue
            count += len(tiers)
            if len(tiers) < PAGE:
                break
            last = tiers[-1]
            await asyncio.sleep(PAUSE_S)
        return count
