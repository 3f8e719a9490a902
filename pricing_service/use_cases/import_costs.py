"""Recording many prices at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pricing_service.domain.cost import Cost, CostDraft
from pricing_service.domain.edition import Edition
from pricing_service.domain.idempotency import Remembered, fingerprint, reused
from pricing_service.domain.importing import Effect, PlannedRow, plan_import, repeated_rows
from pricing_service.domain.price_guards import Guards, guarded
from pricing_service.use_cases.audited_prices import prices_imported
from pricing_service.use_cases.cost_repository import CostRepository, Look, NewCost
from pricing_service.use_cases.own_changes import OwnChanges
from service_kit.audit.actor import Actor
from service_kit.errors import invalid


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """What became of a row of an import."""

    draft: CostDraft
    cost: Cost | None
    """The row as recorded; None in a dry run, and when it changes nothing."""
    overridden_guards: tuple[str, ...]
    previous: Decimal | None
    """The price in effect at its instant before the import; None when there was none."""
    effect: Effect


@dataclass(frozen=True, slots=True)
class ImportCosts:
    """Records prices in one transaction, all of them or none."""

    costs: CostRepository
    guards: Guards
    new_cost_id: Callable[[], str]
    own_changes: OwnChanges

    async def __call__(
        self, drafts: Sequence[CostDraft], key: str | None, *, dry_run: bool, actor: Actor
    ) -> tuple[list[ImportedRow], bool]:
        """What became of each row, and whether an earlier request with the same key did it.

        Rows that change nothing are not recorded. Raises INVALID when two rows are about the same tier and instant,
        PRICE_GUARD with every row that touches a guard and does not override it, and IDEMPOTENCY_KEY_REUSED.
        """
        # In a thread, beside other calls: with tens of thousands of rows each of these steps takes up to half a second.
        if repeated := await asyncio.to_thread(repeated_rows, drafts):
            raise invalid(repeated)
        request = await asyncio.to_thread(fingerprint, "ImportCosts", drafts) if key else ""
        if dry_run:
            async with self.costs.look() as look:
                if known := await _known(look, key, request):
                    return await _recall(look, drafts, known), True
                return [_imported(row, None) for row in await self._plan(look, drafts)], False
        async with self.costs.turn() as turn:
            if known := await _known(turn, key, request):
                return await _recall(turn, drafts, known), True
            planned = await self._plan(turn, drafts)
            changing = [row for row in planned if row.effect is not Effect.UNCHANGED]
            recorded = await turn.record(
                [NewCost(self.new_cost_id(), row.draft, row.overridden_guards) for row in changing]
            )
            if recorded:
                await turn.audit(actor, prices_imported(recorded, key))
            following = iter(recorded)
            rows = [_imported(row, None if row.effect is Effect.UNCHANGED else next(following)) for row in planned]
            if key:
                cost_ids = [row.cost.cost_id if row.cost else None for row in rows]
                await turn.remember(key, Remembered(request, cost_ids, [row.previous for row in rows]))
        if recorded:
            newest = recorded[-1]
            self.own_changes.changed(Edition(newest.epoch, newest.recorded_at), [cost.tier for cost in recorded])
        return rows, False

    async def _plan(self, look: Look, drafts: Sequence[CostDraft]) -> list[PlannedRow]:
        before = await look.prices_in_effect([(draft.tier, draft.effective_from) for draft in drafts])
        planned, touched = await asyncio.to_thread(plan_import, drafts, before, self.guards, look.now)
        if touched:
            raise guarded(touched)
        return planned


async def _known(look: Look, key: str | None, request: str) -> Remembered | None:
    """What a request with the key came to; None when it is new. Raises IDEMPOTENCY_KEY_REUSED."""
    known = await look.remembered(key) if key else None
    if key and known and known.fingerprint != request:
        raise reused(key)
    return known


def _imported(row: PlannedRow, cost: Cost | None) -> ImportedRow:
    return ImportedRow(row.draft, cost, row.overridden_guards, row.previous, row.effect)


async def _recall(look: Look, drafts: Sequence[CostDraft], known: Remembered) -> list[ImportedRow]:
    costs = await look.find([cost_id for cost_id in known.cost_ids if cost_id])
    rows: list[ImportedRow] = []
    for draft, cost_id, previous in zip(drafts, known.cost_ids, known.previous, strict=True):
        if cost_id is None:
            rows.append(ImportedRow(draft, None, (), previous, Effect.UNCHANGED))
            continue
        cost = costs[cost_id]
        effect = Effect.NEW if previous is None else Effect.CHANGED
        rows.append(ImportedRow(draft, cost, cost.overridden_guards, previous, effect))
    return rows
