"""Recorded prices in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import LiteralString

import psycopg
from psycopg.rows import TupleRow

from pricing_service.adapters import statements
from pricing_service.domain.cost import Cost, CostDraft
from pricing_service.domain.history import HistoryPosition
from pricing_service.domain.tier import Level, Tier
from pricing_service.use_cases.cost_repository import InEffect, Lookup
from service_kit.database import RETRYABLE, Pool, database_unavailable, transaction
from service_kit.errors import Kind, ServiceError

Parameters = Sequence[object] | Mapping[str, object]


class PostgresCosts:
    """Implements CostRepository; the pool is the caller's."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._turn = asyncio.Lock()

    async def record(self, cost_id: str, draft: CostDraft) -> Cost:
        """Adds a row.

        The lock on the counter is held until the commit: rows become visible in the order of their
        epochs, so a reader that saw one has seen all before it. Recording is rare, so taking turns costs
        nothing.
        """
        try:
            # Writers of this replica wait here, not on connections that readers need.
            async with self._turn, transaction(self._pool) as connection:
                turn = await (await connection.execute(statements.TAKE_TURN)).fetchone()
                if turn is None:
                    raise _not_ready()
                parameters = {
                    "cost_id": cost_id,
                    "level": draft.tier.level.value,
                    "entity": draft.tier.entity,
                    "price": draft.price,
                    "reason": draft.reason,
                    "effective_from": draft.effective_from,
                    "created_by": draft.created_by,
                    "epoch": turn[0],
                }
                row = await (await connection.execute(statements.RECORD, parameters)).fetchone()
        except psycopg.errors.UndefinedTable as error:
            raise _not_ready() from error
        if row is None:
            raise AssertionError("INSERT ... RETURNING gave no row")
        return _cost(row)

    async def in_effect(self, lookups: Sequence[Lookup]) -> InEffect:
        """One round trip, however many look-ups, of which there is at least one."""
        parameters = (
            [lookup.tier.level.value for lookup in lookups],
            [lookup.tier.entity for lookup in lookups],
            [lookup.at for lookup in lookups],
        )
        rows = await self._read(statements.IN_EFFECT, parameters)
        found = {lookups[row[1] - 1]: _cost(row[2:]) for row in rows if row[2] is not None}
        return InEffect(now=rows[0][0], costs=found)

    async def history(self, tier: Tier, after: HistoryPosition | None, limit: int) -> Sequence[Cost]:
        """One page of a history."""
        parameters = {
            "level": tier.level.value,
            "entity": tier.entity,
            "effective_from": after.effective_from if after else "-infinity",
            "epoch": after.epoch if after else 0,
            "limit": limit,
        }
        customer = tier.level is Level.SPECIFIC_CUSTOMER
        statement = statements.HISTORY_WITH_FALLBACK if customer else statements.HISTORY
        rows = await self._read(statement, parameters)
        return [_cost(row) for row in rows]

    async def epoch(self) -> int:
        """How many rows were ever recorded."""
        rows = await self._read(statements.EPOCH, ())
        if not rows:
            raise _not_ready()
        epoch: int = rows[0][0]
        return epoch

    async def changes_after(self, epoch: int, limit: int) -> Sequence[Cost]:
        """Rows recorded after an epoch."""
        return [_cost(row) for row in await self._read(statements.CHANGES, (epoch, limit))]

    async def _read(self, statement: LiteralString, parameters: Parameters) -> list[TupleRow]:
        """Runs one statement in one round trip."""
        try:
            rows = await self._try_read(statement, parameters)
            if rows is None:
                # After a restart of the server all idle connections are dead: drop them together.
                await self._pool.check()
                rows = await self._try_read(statement, parameters)
        except RETRYABLE as error:
            raise database_unavailable() from error
        except psycopg.errors.UndefinedTable as error:
            raise _not_ready() from error
        if rows is None:
            raise database_unavailable()
        return rows

    async def _try_read(self, statement: LiteralString, parameters: Parameters) -> list[TupleRow] | None:
        """None when the connection turned out to be dead."""
        async with self._pool.connection() as connection:
            try:
                return await (await connection.execute(statement, parameters)).fetchall()
            except psycopg.OperationalError:
                if not connection.broken:
                    raise
        return None


def _cost(row: TupleRow) -> Cost:
    cost_id, level, entity, price, reason, effective_from, created_by, recorded_at, revision, epoch = row
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
    )


def _not_ready() -> ServiceError:
    return ServiceError(
        Kind.UNAVAILABLE,
        "DATABASE_NOT_READY",
        "the pricing database is not set up: run `tukupay-sms migrate`, then try again",
    )
