"""A turn at changing the price book in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pricing_service.adapters import statements
from pricing_service.adapters.cost_rows import to_cost
from pricing_service.domain.cost import Cost
from pricing_service.domain.idempotency import Remembered
from pricing_service.domain.importing import PriceInEffect
from pricing_service.domain.tier import Tier
from pricing_service.use_cases.cost_repository import NewCost
from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditRecord
from service_kit.postgres import audit_log
from service_kit.postgres.database import Connection


class PostgresTurn:
    """Implements Turn in an open transaction that holds the lock on the counter of changes."""

    def __init__(self, connection: Connection, epoch: int, now: datetime) -> None:
        self._connection = connection
        self._epoch = epoch
        self._now = now

    @property
    def now(self) -> datetime:
        """The instant of all that this turn records."""
        return self._now

    async def remembered(self, key: str) -> Remembered | None:
        """One look-up."""
        row = await (await self._connection.execute(statements.REMEMBERED, (key,))).fetchone()
        return Remembered(*row) if row else None

    async def prices_in_effect(self, places: Sequence[tuple[Tier, datetime]]) -> Sequence[PriceInEffect | None]:
        """One round trip, however many places."""
        parameters = (
            [tier.level.value for tier, _ in places],
            [tier.entity for tier, _ in places],
            [at for _, at in places],
        )
        rows = await (await self._connection.execute(statements.PRICES_IN_EFFECT, parameters)).fetchall()
        return [None if row[0] is None else PriceInEffect(*row) for row in rows]

    async def find(self, cost_ids: Sequence[str]) -> Mapping[str, Cost]:
        """One round trip, however many ids."""
        rows = await (await self._connection.execute(statements.FIND, (list(cost_ids),))).fetchall()
        return {row[0]: to_cost(row) for row in rows}

    async def record(self, rows: Sequence[NewCost]) -> Sequence[Cost]:
        """Two round trips, however many rows."""
        if not rows:
            return []
        drafts = [row.draft for row in rows]
        parameters = {
            "now": self._now,
            "epoch": self._epoch,
            "cost_ids": [row.cost_id for row in rows],
            "levels": [draft.tier.level.value for draft in drafts],
            "entities": [draft.tier.entity for draft in drafts],
            "prices": [draft.price for draft in drafts],
            "reasons": [draft.reason for draft in drafts],
            "instants": [draft.effective_from for draft in drafts],
            "authors": [draft.created_by for draft in drafts],
            "guards": [",".join(row.overridden_guards) for row in rows],
        }
        made = await (await self._connection.execute(statements.RECORD, parameters)).fetchall()
        revisions: dict[str, int] = dict(made)
        first = self._epoch + 1
        await self._count(len(rows))
        return [self._recorded(row, revisions[row.cost_id], first + place) for place, row in enumerate(rows)]

    async def withdraw(self, cost_id: str, withdrawn_by: str, reason: str) -> Cost:
        """Two round trips."""
        await self._count(1)
        parameters = {
            "cost_id": cost_id,
            "now": self._now,
            "withdrawn_by": withdrawn_by,
            "reason": reason,
            "epoch": self._epoch,
        }
        row = await (await self._connection.execute(statements.WITHDRAW, parameters)).fetchone()
        if row is None:
            raise AssertionError("a row that could be withdrawn a moment ago cannot be any more, under the same lock")
        return to_cost(row)

    async def audit(self, actor: Actor, what: AuditRecord) -> None:
        """One row."""
        await audit_log.record(self._connection, actor, what)

    async def remember(self, key: str, request: Remembered) -> None:
        """One row."""
        parameters = (key, request.fingerprint, list(request.cost_ids), list(request.previous), self._now)
        await self._connection.execute(statements.REMEMBER, parameters)

    async def _count(self, changes: int) -> None:
        self._epoch += changes
        await self._connection.execute(statements.COUNT_CHANGES, {"epoch": self._epoch, "now": self._now})

    def _recorded(self, row: NewCost, revision: int, epoch: int) -> Cost:
        draft = row.draft
        return Cost(
            cost_id=row.cost_id,
            tier=draft.tier,
            price=draft.price,
            reason=draft.reason,
            effective_from=draft.effective_from,
            created_by=draft.created_by,
            recorded_at=self._now,
            revision=revision,
            epoch=epoch,
            overridden_guards=row.overridden_guards,
        )
