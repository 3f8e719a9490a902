"""The price of one SMS unit for those who ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pricing_service.domain.cost import Cost
from pricing_service.domain.precedence import strongest, tiers_for
from pricing_service.domain.price_question import PriceQuestion, no_price_for_send
from pricing_service.use_cases.cost_repository import CostRepository, InEffect, Lookup
from service_kit.errors import ServiceError


@dataclass(frozen=True, slots=True)
class ResolvedPrice:
    """The row that prices a send."""

    cost: Cost
    resolved_at: datetime
    """The instant that was priced for, UTC."""


@dataclass(frozen=True, slots=True)
class ResolvePrices:
    """Finds the strongest tier with a price for each question, all at one moment."""

    costs: CostRepository

    async def one(self, question: PriceQuestion) -> ResolvedPrice:
        """The price for one question; raises NO_PRICE."""
        answer = (await self.many([question]))[0]
        if isinstance(answer, ServiceError):
            raise answer
        return answer

    async def many(self, questions: Sequence[PriceQuestion]) -> list[ResolvedPrice | ServiceError]:
        """A price or the NO_PRICE failure for each question, in their order."""
        if not questions:
            return []
        # The defaults are common to most questions, and are looked up once.
        lookups = dict.fromkeys(
            Lookup(tier, question.at)
            for question in questions
            for tier in tiers_for(question.customer_id, question.app_id)
        )
        found = await self.costs.in_effect(list(lookups))
        return [_answer(question, found) for question in questions]


def _answer(question: PriceQuestion, found: InEffect) -> ResolvedPrice | ServiceError:
    tiers = tiers_for(question.customer_id, question.app_id)
    in_effect = {tier: found.costs[lookup] for tier in tiers if (lookup := Lookup(tier, question.at)) in found.costs}
    cost = strongest(tiers, in_effect)
    if cost is None:
        return no_price_for_send(question)
    return ResolvedPrice(cost, question.at or found.now)
