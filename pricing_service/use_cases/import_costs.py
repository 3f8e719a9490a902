"""Recording many prices at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pricing_service.domain.cost import Cost, CostDraft
from pricing_service.domain.edition import Edition
from pricing_service.domain.guards import Guards, guarded
from pricing_service.domain.idempotency import Remembered, fingerprint, reused
from pricing_service.domain.importing import Effect, PlannedRow, plan_import, repeated_rows
from pricing_service.use_cases.cost_repository import CostRepository, NewCost, Turn
from pricing_service.use_cases.own_changes import OwnChanges
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
        self, drafts: Sequence[CostDraft], key: str | None, *, dry_run: bool
    ) -> tuple[list[ImportedRow], bool]:
        """What became of each row, and whether an earlier request with the same key did it.

        Rows that change nothing are not recorded. Raises INVALID when two rows are about the same tier and instant,
        PRICE_GUARD with every row that touches a guard and does not override it, and IDEMPOTENCY_KEY_REUSED.
        """
        # In a thread, beside other calls: with tens of thousands of rows each of these steps takes up to half a second.
        if repeated := await asyncio.to_thread(repeated_rows, drafts):
            raise invalid(repeated)
        request = await asyncio.to_thread(fingerprint, "ImportCosts", drafts) if key else ""
        async with self.costs.turn() as turn:
            if key and (known := await turn.remembered(key)):
                if known.fingerprint != request:
                    raise reused(key)
                return await _recall(turn, drafts, known), True
            before = await turn.prices_in_effect([(draft.tier, draft.effective_from) for draft in drafts])
            planned, touched = await asyncio.to_thread(plan_import, drafts, before, self.guards, turn.now)
            if touched:
                raise guarded(touched)
            if dry_run:
                return [_imported(row, None) for row in planned], False
            changing = [row for row in planned if row.effect is not Effect.UNCHANGED]
            recorded = await turn.record(
                [NewCost(self.new_cost_id(), row.draft, row.overridden_guards) for row in changing]
            )
            following = iter(recorded)
            rows = [_imported(row, None if row.effect is Effect.UNCHANGED else next(following)) for row in planned]
            if key:
                cost_ids = [row.cost.cost_id if row.cost else None for row in rows]
                await turn.remember(key, Remembered(request, cost_ids, [row.previous for row in rows]))
        if recorded:
            newest = recorded[-1]
            self.own_changes.changed(Edition(newest.epoch, newest.recorded_at), [cost.tier for cost in recorded])
        return rows, False


def _imported(row: PlannedRow, cost: Cost | None) -> ImportedRow:
    return ImportedRow(row.draft, cost, row.overridden_guards, row.previous, row.effect)


async def _recall(turn: Turn, drafts: Sequence[CostDraft], known: Remembered) -> list[ImportedRow]:
    costs = await turn.find([cost_id for cost_id in known.cost_ids if cost_id])
    rows: list[ImportedRow] = []
    for draft, cost_id, previous in zip(drafts, known.cost_ids, known.previous, strict=True):
        if cost_id is None:
            rows.append(ImportedRow(draft, None, (), previous, Effect.UNCHANGED))
            continue
        cost = costs[cost_id]
        effect = Effect.NEW if previous is None else Effect.CHANGED
        rows.append(ImportedRow(draft, cost, cost.overridden_guards, previous, effect))
    return rows
