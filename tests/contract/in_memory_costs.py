"""The price book as a list: slow, plain, and the yardstick of the real one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from pricing_service.domain.cost import Cost, CostDraft
from pricing_service.domain.history import HistoryPosition
from pricing_service.domain.tier import DIRECT_CUSTOMER, Level, Tier
from pricing_service.use_cases.cost_repository import InEffect, Lookup


class InMemoryCosts:
    """Implements CostRepository with an injected clock."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self.rows: list[Cost] = []

    async def record(self, cost_id: str, draft: CostDraft) -> Cost:
        same = [row for row in self._of(draft.tier) if row.effective_from == draft.effective_from]
        cost = Cost(
            cost_id=cost_id,
            tier=draft.tier,
            price=draft.price,
            reason=draft.reason,
            effective_from=draft.effective_from,
            created_by=draft.created_by,
            recorded_at=self._clock(),
            revision=len(same) + 1,
            epoch=len(self.rows) + 1,
        )
        self.rows.append(cost)
        return cost

    async def in_effect(self, lookups: Sequence[Lookup]) -> InEffect:
        now = self._clock()
        found: dict[Lookup, Cost] = {}
        for lookup in lookups:
            started = [row for row in self._of(lookup.tier) if row.effective_from <= (lookup.at or now)]
            if started:
                found[lookup] = max(started, key=lambda row: (row.effective_from, row.revision))
        return InEffect(now, found)

    async def history(self, tier: Tier, after: HistoryPosition | None, limit: int) -> Sequence[Cost]:
        own = self._of(tier)
        listed = list(own)
        if tier.level is Level.SPECIFIC_CUSTOMER:
            first = min((row.effective_from for row in own), default=None)
            listed += [row for row in self._of(DIRECT_CUSTOMER) if first is None or row.effective_from < first]
        listed.sort(key=lambda row: (row.effective_from, row.epoch))
        if after is not None:
            place = (after.effective_from, after.epoch)
            listed = [row for row in listed if (row.effective_from, row.epoch) > place]
        return listed[:limit]

    async def epoch(self) -> int:
        return len(self.rows)

    async def changes_after(self, epoch: int, limit: int) -> Sequence[Cost]:
        return [row for row in self.rows if row.epoch > epoch][:limit]

    def _of(self, tier: Tier) -> list[Cost]:
        return [row for row in self.rows if row.tier == tier]
