"""The price of one SMS unit for those who ask, straight from the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pricing_service.domain.cost import Cost
from pricing_service.domain.edition import Edition
from pricing_service.domain.explanation import MAX_CANDIDATES, Candidate, explain
from pricing_service.domain.precedence import tiers_for
from pricing_service.domain.price_question import PriceQuestion, known_in_the_future, no_price_for_send
from pricing_service.domain.resolution import DraftPrice, Standing, resolve, with_drafts
from pricing_service.domain.tier import Tier
from pricing_service.use_cases.cost_repository import CostRepository, InEffect, Lookup
from service_kit.errors import ServiceError


@dataclass(frozen=True, slots=True)
class ResolvedPrice:
    """The row that prices a send."""

    cost: Cost
    resolved_at: datetime
    """The instant that was priced for, UTC."""
    edition: Edition
    """The price book that was read."""
    valid_until: datetime | None = None
    """The first instant after it at which another row prices the send; None when none is known."""
    candidates: Sequence[Candidate] = ()
    """Every row that was considered; empty unless asked for."""
    known_at: datetime | None = None
    """The instant as of which the book was read, UTC; None for all that the edition has."""


@dataclass(frozen=True, slots=True)
class ResolvePrices:
    """Finds the strongest tier with a price for each question, all at one moment."""

    costs: CostRepository

    async def one(self, question: PriceQuestion) -> ResolvedPrice:
        """The price for one question; raises NO_PRICE, and INVALID for a `known_at` in the future."""
        answer = (await self.many([question]))[0]
        if isinstance(answer, ServiceError):
            raise answer
        return answer

    async def many(
        self, questions: Sequence[PriceQuestion], drafts: Sequence[DraftPrice] = ()
    ) -> list[ResolvedPrice | ServiceError]:
        """A price, or the failure that `one` raises, for each question in their order.

        Drafts take part as if each were recorded last; `known_at` does not hide them.
        """
        if not questions:
            return []
        # The defaults are common to most questions, and are looked up once.
        lookups = dict.fromkeys(lookup for question in questions for lookup in _lookups(question))
        found = await self.costs.in_effect(list(lookups))
        by_tier: dict[Tier, list[DraftPrice]] = {}
        for draft in drafts:
            by_tier.setdefault(draft.tier, []).append(draft)
        return [_answer(question, found, by_tier) for question in questions]

    async def explained(self, question: PriceQuestion) -> ResolvedPrice:
        """As `one`, with every candidate, at most 1,000, and what became of it."""
        tiers = tiers_for(question.customer_id, question.app_id)
        per_tier = MAX_CANDIDATES // len(tiers) - 2
        found = await self.costs.considered(tiers, question.at, question.known_at, per_tier)
        if _is_unknowable(question, found.now, found.edition):
            raise known_in_the_future()
        at = question.at or found.now
        explanation = explain(tiers, found.rows, at, question.known_at)
        resolution = explanation.resolution
        if resolution.cost is None:
            raise no_price_for_send(question)
        return ResolvedPrice(
            resolution.cost, at, found.edition, resolution.valid_until, explanation.candidates, question.known_at
        )


def _lookups(question: PriceQuestion) -> list[Lookup]:
    tiers = tiers_for(question.customer_id, question.app_id)
    return [Lookup(tier, question.at, question.known_at) for tier in tiers]


def _answer(
    question: PriceQuestion, found: InEffect, drafts: Mapping[Tier, Sequence[DraftPrice]]
) -> ResolvedPrice | ServiceError:
    if _is_unknowable(question, found.now, found.edition):
        return known_in_the_future()
    at = question.at or found.now
    standings: dict[Tier, Standing] = {}
    for lookup in _lookups(question):
        own = found.standings[lookup]
        if lookup.tier in drafts:
            own = with_drafts(own, drafts[lookup.tier], at, found.now)
        standings[lookup.tier] = own
    resolution = resolve(tuple(standings), standings)
    if resolution.cost is None:
        return no_price_for_send(question)
    return ResolvedPrice(resolution.cost, at, found.edition, resolution.valid_until, known_at=question.known_at)


def _is_unknowable(question: PriceQuestion, now: datetime, edition: Edition) -> bool:
    """Whether something may still be recorded that counts at the question's `known_at`."""
    known_at = question.known_at
    if known_at is None or known_at <= now:
        return False
    # Where the clock was set back, the newest change lies ahead of it; what follows is later all the same.
    return edition.changed_at is None or known_at > edition.changed_at
