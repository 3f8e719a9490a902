"""The price of a send now, from the records, for what the book in memory cannot tell."""

from __future__ import annotations

from dataclasses import dataclass

from pricing_service.domain.precedence import tiers_for
from pricing_service.domain.price_question import PriceQuestion, no_price_for_send
from pricing_service.domain.resolution import resolve
from pricing_service.use_cases.cost_repository import Lookup
from pricing_service.use_cases.grouped_reads import GroupedReads
from pricing_service.use_cases.resolve_prices import ResolvedPrice


@dataclass(frozen=True, slots=True)
class ResolveNow:
    """Asks together with other callers of the moment; what is found also goes into the book."""

    records: GroupedReads

    async def __call__(self, question: PriceQuestion) -> ResolvedPrice:
        """The price for a question without instants; raises NO_PRICE."""
        tiers = tiers_for(question.customer_id, question.app_id)
        found = await self.records.read(tiers)
        resolution = resolve(tiers, {tier: found.standings[Lookup(tier, None)] for tier in tiers})
        if resolution.cost is None:
            raise no_price_for_send(question)
        return ResolvedPrice(resolution.cost, found.now, found.edition, resolution.valid_until)
