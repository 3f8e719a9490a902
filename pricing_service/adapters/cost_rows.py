"""Rows of the table of prices as domain objects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from pricing_service.domain.cost import Cost, Withdrawal
from pricing_service.domain.tier import Level, Tier


class CostRow(NamedTuple):
    """A row with all columns, in the order that the statements name them in."""

    cost_id: str
    level: str
    entity: str
    price: Decimal
    reason: str | None
    effective_from: datetime
    created_by: str
    recorded_at: datetime
    revision: int
    epoch: int
    overridden_guards: Sequence[str]
    withdrawn_at: datetime | None
    withdrawn_by: str
    """NULL, as the two after it, unless `withdrawn_at` is given."""
    withdrawn_reason: str
    withdrawn_epoch: int


def to_cost(row: Sequence[Any]) -> Cost:
    """The price in a row with all columns."""
    found = CostRow._make(row)
    withdrawal = None
    if found.withdrawn_at is not None:
        withdrawal = Withdrawal(found.withdrawn_at, found.withdrawn_by, found.withdrawn_reason, found.withdrawn_epoch)
    return Cost(
        cost_id=found.cost_id,
        tier=Tier(Level(found.level), found.entity),
        price=found.price,
        reason=found.reason,
        effective_from=found.effective_from,
        created_by=found.created_by,
        recorded_at=found.recorded_at,
        revision=found.revision,
        epoch=found.epoch,
        overridden_guards=tuple(found.overridden_guards),
        withdrawal=withdrawal,
    )
