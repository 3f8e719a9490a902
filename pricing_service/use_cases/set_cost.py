"""Recording a price."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pricing_service.domain.cost import Cost, CostDraft
from pricing_service.use_cases.cost_repository import CostRepository


@dataclass(frozen=True, slots=True)
class SetCost:
    """Records a price; never overwrites one."""

    costs: CostRepository
    new_cost_id: Callable[[], str]

    async def __call__(self, draft: CostDraft) -> Cost:
        """The row as recorded, a new revision when its tier and `effective_from` had one before."""
        return await self.costs.record(self.new_cost_id(), draft)
