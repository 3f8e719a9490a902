"""Recording a price."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pricing_service.domain.cost import Cost, CostDraft
from pricing_service.domain.edition import Edition
from pricing_service.domain.idempotency import Remembered, fingerprint, reused
from pricing_service.domain.price_guards import Guards, guarded
from pricing_service.use_cases.audited_prices import price_set
from pricing_service.use_cases.cost_repository import CostRepository, NewCost
from pricing_service.use_cases.own_changes import OwnChanges
from service_kit.audit.actor import Actor


@dataclass(frozen=True, slots=True)
class SetCost:
    """Records a price; never overwrites one."""

    costs: CostRepository
    guards: Guards
    new_cost_id: Callable[[], str]
    own_changes: OwnChanges

    async def __call__(self, draft: CostDraft, key: str | None = None, *, actor: Actor) -> tuple[Cost, bool]:
        """The row as recorded, and whether an earlier request with the same key made it.

        It is a new revision when its tier and `effective_from` had a row before. Raises PRICE_GUARD, and
        IDEMPOTENCY_KEY_REUSED when the key stands for another request.
        """
        request = fingerprint("SetCost", [draft]) if key else ""
        async with self.costs.turn() as turn:
            if key and (known := await turn.remembered(key)):
                if known.fingerprint != request:
                    raise reused(key)
                (cost,) = (await turn.find([cost_id for cost_id in known.cost_ids if cost_id])).values()
                return cost, True
            (before,) = await turn.prices_in_effect([(draft.tier, draft.effective_from)])
            touched = self.guards.touched(draft, before.price if before else None, turn.now)
            if touched and not draft.override_guards:
                raise guarded(touched)
            overridden = tuple(violation.reason for violation in touched)
            (cost,) = await turn.record([NewCost(self.new_cost_id(), draft, overridden)])
            await turn.audit(actor, price_set(cost, before))
            if key:
                await turn.remember(key, Remembered(request, [cost.cost_id], [before.price if before else None]))
        self.own_changes.changed(Edition(cost.epoch, cost.recorded_at), [cost.tier])
        return cost, False
