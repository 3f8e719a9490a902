"""Taking back a price before it takes effect."""

from __future__ import annotations

from dataclasses import dataclass

from pricing_service.domain.cost import Cost
from pricing_service.domain.edition import Edition
from pricing_service.domain.withdrawing import WithdrawalRequest, is_withdrawn_already
from pricing_service.use_cases.audited_prices import price_withdrawn
from pricing_service.use_cases.cost_repository import CostRepository
from pricing_service.use_cases.own_changes import OwnChanges
from service_kit.audit.actor import Actor


@dataclass(frozen=True, slots=True)
class WithdrawCost:
    """Marks a row as withdrawn; it stays on record and counts for nothing from then on."""

    costs: CostRepository
    own_changes: OwnChanges

    async def __call__(self, request: WithdrawalRequest, *, actor: Actor) -> Cost:
        """The row with its withdrawal; the same request again changes nothing.

        Raises COST_NOT_FOUND, COST_IN_FORCE, COST_WITHDRAWN.
        """
        async with self.costs.turn() as turn:
            cost = (await turn.find([request.cost_id])).get(request.cost_id)
            if is_withdrawn_already(cost, request, turn.now) and cost is not None:
                return cost
            cost = await turn.withdraw(request.cost_id, request.withdrawn_by, request.reason)
            await turn.audit(actor, price_withdrawn(cost))
        if cost.withdrawal is None:
            raise AssertionError("a withdrawn row has its withdrawal")
        self.own_changes.changed(Edition(cost.withdrawal.epoch, cost.withdrawal.withdrawn_at), [cost.tier])
        return cost
