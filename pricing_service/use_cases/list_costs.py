"""The history of a tier."""

from __future__ import annotations

from dataclasses import dataclass

from pricing_service.domain.history import HistoryPage, HistoryPosition
from pricing_service.domain.tier import Tier
from pricing_service.use_cases.cost_repository import CostRepository


@dataclass(frozen=True, slots=True)
class ListCosts:
    """Reads a history by pages."""

    costs: CostRepository

    async def __call__(self, tier: Tier, after: HistoryPosition | None, page_size: int) -> HistoryPage:
        """Up to `page_size` rows after a position; None begins at the oldest."""
        # One more than asked for shows whether there is another page.
        rows = await self.costs.history(tier, after, page_size + 1)
        page = tuple(rows[:page_size])
        if len(rows) <= page_size:
            return HistoryPage(page, None)
        return HistoryPage(page, HistoryPosition(page[-1].effective_from, page[-1].epoch))
