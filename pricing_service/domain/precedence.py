"""Which of several prices applies.

Within a tier it is the row with the greatest `effective_from` that is not after the instant asked for,
and of those the highest revision (`Cost` says so; repositories look it up). Between tiers the order is
the one below, the only place that knows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pricing_service.domain.cost import Cost
from pricing_service.domain.tier import DIRECT_CUSTOMER, TUKUPAY, Level, Tier


def tiers_for(customer_id: str | None = None, app_id: str | None = None) -> tuple[Tier, ...]:
    """The tiers that can price a send, the strongest first; a tier counts only when its entity is given.

    A customer's own price beats that of the app the send comes through; both beat the defaults.
    """
    tiers: list[Tier] = []
    if customer_id is not None:
        tiers.append(Tier(Level.SPECIFIC_CUSTOMER, customer_id))
    if app_id is not None:
        tiers.append(Tier(Level.APP_OWNER, app_id))
    return (*tiers, DIRECT_CUSTOMER, TUKUPAY)


def tiers_from(tier: Tier) -> tuple[Tier, ...]:
    """A tier and its fallbacks, in the same order."""
    return (TUKUPAY,) if tier == TUKUPAY else tiers_for(tier.customer_id, tier.app_id)


def strongest(tiers: Sequence[Tier], in_effect: Mapping[Tier, Cost]) -> Cost | None:
    """The row of the first tier that has one in effect; None when none has."""
    return next((in_effect[tier] for tier in tiers if tier in in_effect), None)
