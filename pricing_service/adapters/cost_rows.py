"""Rows of the table of prices as domain objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pricing_service.domain.cost import Cost, Withdrawal
from pricing_service.domain.tier import Level, Tier


def to_cost(row: Sequence[Any]) -> Cost:
    """The price in a row with all columns, in the order that the statements name them in."""
    (
        cost_id,
        level,
        entity,
        price,
        reason,
        effective_from,
        created_by,
        recorded_at,
        revision,
        epoch,
        overridden_guards,
        withdrawn_at,
        withdrawn_by,
        withdrawn_reason,
        withdrawn_epoch,
    ) = row
    return Cost(
        cost_id=cost_id,
        tier=Tier(Level(level), entity),
        price=price,
        reason=reason,
        effective_from=effective_from,
        created_by=created_by,
        recorded_at=recorded_at,
        revision=revision,
        epoch=epoch,
        overridden_guards=tuple(overridden_guards),
        withdrawal=Withdrawal(withdrawn_at, withdrawn_by, withdrawn_reason, withdrawn_epoch) if withdrawn_at else None,
    )
