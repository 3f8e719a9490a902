"""Recorded prices in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg.rows import TupleRow

from pricing_service.adapters import statements
from pricing_service.adapters.cost_rows import to_cost
from pricing_service.adapters.postgres_turn import PostgresTurn
from pricing_service.domain import reasons
from pricing_service.domain.cost import Change, Cost
from pricing_service.domain.edition import Edition
from pricing_service.domain.explanation import nearest
from pricing_service.domain.history import CostInstants, HistoryPosition
from pricing_service.domain.resolution import Standing
from pricing_service.domain.tier import Level, Tier
from pricing_service.use_cases.cost_repository import Beat, Considered, InEffect, Look, Lookup
from service_kit.errors import Kind, ServiceError
from service_kit.postgres.database import Connection, Pool, single_statement, transaction
from service_kit.postgres.database_errors import RETRYABLE, database_unavailable

Parameters = Sequence[object] | Mapping[str, object]

_OUTDATED = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)


class PostgresCosts:
    """Implements CostRepository; the pool is the caller's."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[PostgresTurn]:
        """A transaction that holds the lock on the counter until the commit.

        Changes become visible in the order of their epochs, so a reader that saw one has seen all before it.
        Changing prices is rare, so taking turns costs nothing.
        """
        try:
            # Writers of this replica wait here, not on connections that readers need.
            async with self._turn, transaction(self._pool) as connection:
                await connection.execute(statements.TAKE_TURN)
                yield await _opened(connection)
        except _OUTDATED as error:
            raise _not_ready() from error

    @asynccontextmanager
    async def look(self) -> AsyncIterator[Look]:
        """A transaction without the lock."""
        try:
            async with transaction(self._pool) as connection:
                yield await _opened(connection)
        except _OUTDATED as error:
            raise _not_ready() from error

    async def in_effect(self, lookups: Sequence[Lookup]) -> InEffect:
        """One round trip, however many look-ups, of which there is at least one; two more with a `known_at`."""
        parameters = (
            [lookup.tier.level.value for lookup in lookups],
            [lookup.tier.entity for lookup in lookups],
            [lookup.at for lookup in lookups],
            [lookup.known_at for lookup in lookups],
        )
        settled = any(lookup.known_at is not None for lookup in lookups)
        rows = await self._read(statements.IN_EFFECT, parameters, before=statements.AWAIT_TURN if settled else None)
        now, edition = rows[0][0], _edition(rows[0])
        standings: dict[Lookup, Standing] = {}
        for _, _, _, place, changes_at, *columns in rows:
            lookup = lookups[place - 1]
            cost = to_cost(columns).as_known(lookup.known_at) if columns[0] is not None else None
            standings[lookup] = Standing(cost, changes_at)
        return InEffect(now, edition, standings)

    async def considered(
        self, tiers: Sequence[Tier], at: datetime | None, known_at: datetime | None, limit: int
    ) -> Considered:
        """One statement."""
        parameters = {
            "levels": [tier.level.value for tier in tiers],
            "entities": [tier.entity for tier in tiers],
            "at": at,
            "known_at": known_at,
            "limit": limit,
        }
        settling = None if known_at is None else statements.AWAIT_TURN
        rows = await self._read(statements.CONSIDERED, parameters, before=settling)
        # By kind: what the resolution needs, the nearest before, the nearest after.
        found: dict[Tier, tuple[list[Cost], list[Cost], list[Cost]]] = {tier: ([], [], []) for tier in tiers}
        for _, _, _, place, kind, *columns in rows:
            if kind is not None:
                found[tiers[place - 1]][kind].append(to_cost(columns))
        chosen: dict[Tier, Sequence[Cost]] = {}
        for tier, (needed, before, after) in found.items():
            kept = {cost.cost_id: cost for cost in (*needed, *nearest(before, after, limit))}
            chosen[tier] = list(kept.values())
        return Considered(rows[0][0], _edition(rows[0]), chosen)

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
        return [to_cost(row) for row in rows]

    async def instants(self, tiers: Sequence[Tier], per_tier: int, limit: int) -> Sequence[Sequence[CostInstants]]:
        """One statement."""
        parameters = ([tier.level.value for tier in tiers], [tier.entity for tier in tiers], per_tier, limit)
        found: list[list[CostInstants]] = [[] for _ in tiers]
        for place, *instants in await self._read(statements.INSTANTS, parameters):
            found[place - 1].append(CostInstants(*instants))
        return found

    async def settled_now(self) -> datetime:
        """The clock, read while nobody changes anything."""
        now: datetime = (await self._read(statements.CLOCK, (), before=statements.AWAIT_TURN))[0][0]
        return now

    async def lasting(self, level: Level, as_of: datetime, after: Cost | None, limit: int) -> Sequence[Cost]:
        """One page, found by its place in the index."""
        parameters = {
            "level": level.value,
            "after_entity": after.tier.entity if after else "",
            "after_instant": after.effective_from if after else "-infinity",
            "after_revision": after.revision if after else 0,
            "as_of": as_of,
            "limit": limit,
        }
        rows = await self._read(statements.LASTING, parameters, before=statements.IN_ORDER)
        return [to_cost(row).as_known(as_of) for row in rows]

    async def tiers_after(self, tier: Tier | None, limit: int) -> Sequence[Tier]:
        """One page."""
        after = (tier.level.value, tier.entity) if tier else ("", "")
        return [Tier(Level(row[0]), row[1]) for row in await self._read(statements.TIERS, (*after, limit))]

    async def beat(self) -> Beat:
        """The counter and the clock."""
        rows = await self._read(statements.BEAT, ())
        if not rows:
            raise _not_ready()
        epoch, changed_at, now = rows[0]
        return Beat(Edition(epoch, changed_at), now)

    async def changes_after(self, epoch: int, limit: int) -> Sequence[Change]:
        """Rows recorded or withdrawn after an epoch."""
        rows = await self._read(statements.CHANGES, {"epoch": epoch, "limit": limit})
        return [Change(row[0], to_cost(row[1:])) for row in rows]

    async def forget_requests(self, age: timedelta, limit: int) -> int:
        """One statement, beside those that take turns."""
        return len(await self._read(statements.FORGET_REQUESTS, (age, limit)))

    async def _read(
        self, statement: LiteralString, parameters: Parameters, *, before: LiteralString | None = None
    ) -> list[TupleRow]:
        """Runs one statement; in a transaction of its own when another has to come `before` it.

        After AWAIT_TURN it sees the change that was under way, and holds up the next one meanwhile.
        """
        try:
            if before is not None:
                async with transaction(self._pool) as connection:
                    await connection.execute(before)
                    return await (await connection.execute(statement, parameters)).fetchall()
            rows = await self._try_read(statement, parameters)
            if rows is None:
                # After a restart of the server all idle connections are dead: drop them together.
                await self._pool.renew()
                rows = await self._try_read(statement, parameters)
        except RETRYABLE as error:
            raise database_unavailable(error) from error
        except _OUTDATED as error:
            raise _not_ready() from error
        if rows is None:
            raise database_unavailable()
        return rows

    async def _try_read(self, statement: LiteralString, parameters: Parameters) -> list[TupleRow] | None:
        """None when the connection turned out to be dead."""
        async with single_statement(self._pool) as connection:
            try:
                return await (await connection.execute(statement, parameters)).fetchall()
            except psycopg.OperationalError:
                if not connection.broken:
                    raise
        return None


async def _opened(connection: Connection) -> PostgresTurn:
    opened = await (await connection.execute(statements.OPEN_TURN)).fetchone()
    if opened is None:
        raise _not_ready()
    return PostgresTurn(connection, *opened)


def _edition(row: TupleRow) -> Edition:
    _, epoch, changed_at = row[:3]
    if epoch is None:
        raise _not_ready()
    return Edition(epoch, changed_at)


def _not_ready() -> ServiceError:
    return ServiceError(
        Kind.UNAVAILABLE,
        reasons.DATABASE_NOT_READY,
        "the pricing database is not set up: run `tukupay-sms migrate`, then try again",
    )
