"""The price in effect at a tier now."""

from __future__ import annotations

from dataclasses import dataclass

from pricing_service.domain.cost import Cost
from pricing_service.domain.precedence import tiers_from
from pricing_service.domain.price_question import no_price_from
from pricing_service.domain.resolution import resolve
from pricing_service.domain.tier import Tier
from pricing_service.use_cases.cost_repository import CostRepository, Lookup


@dataclass(frozen=True, slots=True)
class GetCurrentCost:
    """Walks from a tier along its fallbacks."""

    costs: CostRepository

    async def __call__(self, tier: Tier) -> Cost:
        """The row that applies now, with the tier at which it was found; raises NO_PRICE."""
        tiers = tiers_from(tier)
        found = await self.costs.in_effect([Lookup(tier, None) for tier in tiers])
        cost = resolve(tiers, {lookup.tier: standing for lookup, standing in found.standings.items()}).cost
        if cost is None:
            raise no_price_from(tier)
        return cost
