"""The price book as a list: slow, plain, and the yardstick of the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from pricing_service.domain.cost import Change, Cost, Withdrawal
from pricing_service.domain.edition import Edition
from pricing_service.domain.explanation import nearest
from pricing_service.domain.history import CostInstants, HistoryPosition
from pricing_service.domain.idempotency import Remembered
from pricing_service.domain.importing import PriceInEffect
from pricing_service.domain.resolution import standing
from pricing_service.domain.tier import DIRECT_CUSTOMER, Level, Tier
from pricing_service.use_cases.cost_repository import Beat, Considered, InEffect, Lookup, NewCost
from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditRecord


class InMemoryTurn:
    """Implements Turn: works on a copy, which the book takes over at the end."""

    def __init__(self, rows: Sequence[Cost], requests: Mapping[str, Remembered], epoch: int, now: datetime) -> None:
        self.rows = list(rows)
        self.requests = dict(requests)
        self.epoch = epoch
        self._now = now
        self.audited: list[tuple[Actor, AuditRecord]] = []

    @property
    def now(self) -> datetime:
        return self._now

    async def remembered(self, key: str) -> Remembered | None:
        return self.requests.get(key)

    async def prices_in_effect(self, places: Sequence[tuple[Tier, datetime]]) -> Sequence[PriceInEffect | None]:
        costs = [standing([row for row in self.rows if row.tier == tier], at, None).cost for tier, at in places]
        return [PriceInEffect(cost.price, cost.effective_from) if cost else None for cost in costs]

    async def find(self, cost_ids: Sequence[str]) -> Mapping[str, Cost]:
        return {row.cost_id: row for row in self.rows if row.cost_id in cost_ids}

    async def record(self, rows: Sequence[NewCost]) -> Sequence[Cost]:
        made: list[Cost] = []
        for new in rows:
            draft = new.draft
            same = [row for row in self.rows if (row.tier, row.effective_from) == (draft.tier, draft.effective_from)]
            self.epoch += 1
            cost = Cost(
                cost_id=new.cost_id,
                tier=draft.tier,
                price=draft.price,
                reason=draft.reason,
                effective_from=draft.effective_from,
                created_by=draft.created_by,
                recorded_at=self._now,
                revision=len(same) + 1,
                epoch=self.epoch,
                overridden_guards=new.overridden_guards,
            )
            self.rows.append(cost)
            made.append(cost)
        return made

    async def withdraw(self, cost_id: str, withdrawn_by: str, reason: str) -> Cost:
        (place,) = (place for place, row in enumerate(self.rows) if row.cost_id == cost_id)
        self.epoch += 1
        withdrawal = Withdrawal(self._now, withdrawn_by, reason, self.epoch)
        self.rows[place] = replace(self.rows[place], withdrawal=withdrawal)
        return self.rows[place]

    async def audit(self, actor: Actor, what: AuditRecord) -> None:
        self.audited.append((actor, what))

    async def remember(self, key: str, request: Remembered) -> None:
        self.requests[key] = request


class InMemoryCosts:
    """Implements CostRepository with an injected clock."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._turn = asyncio.Lock()
        self._changed_at: datetime | None = None
        self._requests: Mapping[str, Remembered] = {}
        self._requested_at: dict[str, datetime] = {}
        self._epoch = 0
        self.rows: list[Cost] = []

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[InMemoryTurn]:
        async with self._turn:
            turn = self._opened()
            yield turn
            if turn.epoch > self._epoch:
                self._changed_at = turn.now
            self._requested_at |= dict.fromkeys(turn.requests.keys() - self._requests.keys(), turn.now)
            self.rows, self._requests, self._epoch = turn.rows, turn.requests, turn.epoch

    @asynccontextmanager
    async def look(self) -> AsyncIterator[InMemoryTurn]:
        yield self._opened()

    def _opened(self) -> InMemoryTurn:
        now = self._clock()
        if self._changed_at is not None:
            now = max(now, self._changed_at + timedelta(microseconds=1))
        return InMemoryTurn(self.rows, self._requests, self._epoch, now)

    async def in_effect(self, lookups: Sequence[Lookup]) -> InEffect:
        now = self._clock()
        standings = {lookup: standing(self._of(lookup.tier), lookup.at or now, lookup.known_at) for lookup in lookups}
        return InEffect(now, self._edition, standings)

    async def considered(
        self, tiers: Sequence[Tier], at: datetime | None, known_at: datetime | None, limit: int
    ) -> Considered:
        now = self._clock()
        priced_at = at or now
        chosen: dict[Tier, Sequence[Cost]] = {}
        for tier in tiers:
            rows = sorted(self._of(tier), key=lambda row: (row.effective_from, -row.revision))
            rows = [row for row in rows if row.is_known(known_at)]
            after = [row for row in rows if row.effective_from > priced_at]
            before = [row for row in rows if row.effective_from <= priced_at]
            before.sort(key=lambda row: (row.effective_from, row.revision), reverse=True)
            needed = [row for row in before if row.counts(known_at)][:1]
            needed += [row for row in after if row.counts(known_at)][:1]
            kept = {row.cost_id: row for row in (*needed, *nearest(before[:limit], after[:limit], limit))}
            chosen[tier] = list(kept.values())
        return Considered(now, self._edition, chosen)

    async def history(self, tier: Tier, after: HistoryPosition | None, limit: int) -> Sequence[Cost]:
        own = self._of(tier)
        listed = list(own)
        if tier.level is Level.SPECIFIC_CUSTOMER:
            first = min((row.effective_from for row in own if row.counts(None)), default=None)
            listed += [row for row in self._of(DIRECT_CUSTOMER) if first is None or row.effective_from < first]
        listed.sort(key=lambda row: (row.effective_from, row.epoch))
        if after is not None:
            place = (after.effective_from, after.epoch)
            listed = [row for row in listed if (row.effective_from, row.epoch) > place]
        return listed[:limit]

    async def instants(self, tiers: Sequence[Tier], per_tier: int, limit: int) -> Sequence[Sequence[CostInstants]]:
        found: list[list[CostInstants]] = []
        for tier in tiers:
            rows = self._of(tier)[: min(per_tier, limit)]
            limit -= len(rows)
            found.append(
                [
                    CostInstants(
                        row.effective_from, row.recorded_at, row.withdrawal.withdrawn_at if row.withdrawal else None
                    )
                    for row in rows
                ]
            )
        return found

    async def settled_now(self) -> datetime:
        return self._clock()

    async def lasting(self, level: Level, as_of: datetime, after: Cost | None, limit: int) -> Sequence[Cost]:
        listed: list[Cost] = []
        for tier in {row.tier for row in self.rows if row.tier.level is level}:
            instants = {as_of, *(row.effective_from for row in self._of(tier) if row.effective_from > as_of)}
            found = [standing(self._of(tier), instant, as_of).cost for instant in instants]
            listed += {cost.cost_id: cost for cost in found if cost}.values()
        listed.sort(key=_place)
        return [row for row in listed if after is None or _place(row) > _place(after)][:limit]

    async def tiers_after(self, tier: Tier | None, limit: int) -> Sequence[Tier]:
        tiers = sorted({row.tier for row in self.rows}, key=lambda each: (each.level.value, each.entity))
        after = (tier.level.value, tier.entity) if tier else ("", "")
        return [each for each in tiers if (each.level.value, each.entity) > after][:limit]

    async def beat(self) -> Beat:
        return Beat(self._edition, self._clock())

    async def changes_after(self, epoch: int, limit: int) -> Sequence[Change]:
        changes = [Change(row.epoch, row) for row in self.rows]
        changes += [Change(row.withdrawal.epoch, row) for row in self.rows if row.withdrawal]
        changes.sort(key=lambda change: change.epoch)
        return [change for change in changes if change.epoch > epoch][:limit]

    async def forget_requests(self, age: timedelta, limit: int) -> int:
        old = [key for key in self._requests if self._requested_at[key] < self._clock() - age][:limit]
        self._requests = {key: request for key, request in self._requests.items() if key not in old}
        return len(old)

    @property
    def _edition(self) -> Edition:
        return Edition(self._epoch, self._changed_at)

    def _of(self, tier: Tier) -> list[Cost]:
        return [row for row in self.rows if row.tier == tier]


def _place(row: Cost) -> tuple[str, str, datetime, int]:
    return (row.tier.level.value, row.tier.entity, row.effective_from, row.revision)
