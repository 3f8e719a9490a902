"""Every price in effect now or later."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final

from pricing_service.domain.cost import Cost
from pricing_service.domain.tier import Level
from pricing_service.use_cases.cost_repository import CostRepository

PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class ExportCosts:
    """Reads the price book by pages, all as it was known at one instant.

    Nothing is held between two pages, neither rows nor a transaction: a slow reader costs nothing.
    """

    costs: CostRepository

    async def __call__(self, level: Level | None) -> AsyncGenerator[Sequence[Cost], None]:
        """Pages of rows by level, entity and instant; None means every level."""
        as_of = await self.costs.settled_now()
        for each in sorted(Level) if level is None else [level]:
            after: Cost | None = None
            while page := await self.costs.lasting(each, as_of, after, PAGE):
                yield page
                if len(page) < PAGE:
                    break
                after = page[-1]
