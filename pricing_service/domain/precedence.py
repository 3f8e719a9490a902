"""Which tiers can price a send, the strongest first.

The order is decided here. Where it is spelled again, for speed or in texts, tests/unit/test_order_of_levels.py holds it
equal.
"""

from __future__ import annotations

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
