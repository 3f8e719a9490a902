"""Records deliveries of what happened to messages, each once, whichever process does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb
from typing_extensions import override

from messaging_service.events.domain.event_cursor import LoggedEvent, Moment, Position
from messaging_service.events.postgres.event_rows import read_next, read_present
from messaging_service.notices.delivery_ports import EventFanOut, FanOutResult
from messaging_service.notices.domain.channels import joined
from messaging_service.notices.domain.cloud_event import of_outbox
from messaging_service.notices.domain.endpoints import MESSAGE_EVENTS, STATES_WITH_EVENTS
from messaging_service.notices.postgres.endpoint_rows import NewDelivery, record
from messaging_service.privacy.sealing.message_contents import PLAIN, Contents
from messaging_service.shared.postgres.migrated import migrated
from messaging_service.shared.postgres.sql_words import quoted
from service_kit.postgres.database import Connection, Pool, single_statement, transaction

_READER: Final = "webhooks"
NOTHING: Final = FanOutResult(0, 0, more=False)

# The process that holds the row is at work; the others look again later. What it reads, what it records and how far
# it got are one transaction, so that a crash neither repeats nor leaves out anything.
_TAKE: Final = "SELECT position, now() FROM event_reader WHERE name = %(name)s FOR UPDATE SKIP LOCKED"
_BEGIN: Final = "INSERT INTO event_reader (name, position) VALUES (%(name)s, %(position)s) ON CONFLICT DO NOTHING"
_MOVE: Final = "UPDATE event_reader SET position = %(position)s, moved_at = now() WHERE name = %(name)s"

_WANTED: Final = f"""
    SELECT account_id FROM webhook_endpoint
    WHERE enabled AND deleted_at IS NULL AND events && ARRAY[{quoted(MESSAGE_EVENTS)}]
"""
_ANYBODY: Final = f"SELECT EXISTS ({_WANTED})"
_ENDPOINTS: Final = """
    SELECT account_id, id, events, created_at, kind <> 'webhook' FROM webhook_endpoint
    WHERE account_id = ANY(%(accounts)s) AND enabled AND deleted_at IS NULL ORDER BY created_at, id
"""
_GIVE_UP: Final = """
    UPDATE webhook_delivery SET state = 'failed', next_try_at = NULL WHERE id = ANY(ARRAY(
        SELECT id FROM webhook_delivery WHERE state = 'pending' AND give_up_at <= now()
        ORDER BY give_up_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ))
"""
_FORGET: Final = """
    DELETE FROM webhook_delivery WHERE id = ANY(ARRAY(
        SELECT id FROM webhook_delivery
        WHERE created_at < now() - make_interval(secs => %(keep_s)s) AND state <> 'pending'
        ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ))
"""


class PostgresFanOut(EventFanOut):
    """Reads the event log of messages and records deliveries."""

    def __init__(
        self,
        pool: Pool,
        new_id: Callable[[], UUID],
        *,
        give_up_after: timedelta,
        join: timedelta = timedelta(0),
        contents: Contents = PLAIN,
    ) -> None:
        """`pool`: not the one that sends messages. `give_up_after`: how long a delivery is tried.

        `join`: the span whose failed messages channels get in one text; 0 sends each at once. `contents` seals bodies.
        """
        self._contents = contents
        self._pool = pool
        self._new_id = new_id
        self._give_up_after = give_up_after
        self._join = join

    @override
    async def fan_out(self, limit: int) -> FanOutResult:
        async with migrated(transaction(self._pool)) as connection:
            row = await (await connection.execute(_TAKE, {"name": _READER})).fetchone()
            if row is None:
                await begin_fan_out(connection)
                return NOTHING
            position, now = _to_position(row[0]), row[1]
            # Read before asking who wants events: an endpoint may be created, and its account send, at any moment.
            present = Position(await read_present(connection))
            anybody = await (await connection.execute(_ANYBODY)).fetchone()
            if anybody != (True,):
                # No endpoint wants events, so those up to now are never sent.
                return await _moved(connection, position, present, NOTHING)
            conditions = [f"m.account_id IN ({_WANTED})", "e.to_state = ANY(%(states)s)"]
            states = [state.value for state in STATES_WITH_EVENTS]
            step = await read_next(
                connection, position, conditions=conditions, parameters={"states": states}, limit=limit
            )
            if step.position.goal.first_unseen < position.seen.first_unseen:
                # The position is older than a restore of the database, and what it refers to is not in this one.
                return await _moved(connection, position, Position(await read_present(connection)), NOTHING)
            new = await self._new_deliveries(connection, step.events, now)
            recorded = await record(connection, new, self._give_up_after, self._contents)
            result = FanOutResult(len(step.events), recorded, more=step.position.until is not None)
            return await _moved(connection, position, step.position, result)

    async def _new_deliveries(
        self, connection: Connection, events: Sequence[LoggedEvent], now: datetime
    ) -> list[NewDelivery]:
        accounts = sorted({logged.event.account_id for logged in events})
        if not accounts:
            return []
        endpoints: dict[str, list[tuple[Any, ...]]] = {}
        for account_id, *endpoint in await (await connection.execute(_ENDPOINTS, {"accounts": accounts})).fetchall():
            endpoints.setdefault(account_id, []).append(tuple(endpoint))
        new: list[NewDelivery] = []
        for logged in events:
            event = of_outbox(logged.event)
            if event is None:
                continue
            new += [
                NewDelivery(
                    self._new_id(), endpoint_id, event, joined(now, self._join, endpoint_id) if is_channel else None
                )
                for endpoint_id, wanted, since, is_channel in endpoints.get(event.account_id, ())
                if event.type.value in wanted and event.at >= since
            ]
        return new

    @override
    async def give_up(self, limit: int) -> int:
        async with migrated(single_statement(self._pool)) as connection:
            return (await connection.execute(_GIVE_UP, {"limit": limit})).rowcount

    @override
    async def forget(self, keep_s: float, limit: int) -> int:
        async with migrated(single_statement(self._pool)) as connection:
            return (await connection.execute(_FORGET, {"keep_s": keep_s, "limit": limit})).rowcount


async def begin_fan_out(connection: Connection) -> None:
    """Records that events count from now on, unless that is on record already; part of creating an endpoint.

    The first pass may come long after the first endpoint was created, and must not start behind its first messages.
    """
    start = Position(await read_present(connection))
    await connection.execute(_BEGIN, {"name": _READER, "position": Jsonb(_to_json(start))})


async def _moved(connection: Connection, before: Position, after: Position, result: FanOutResult) -> FanOutResult:
    if after != before:
        await connection.execute(_MOVE, {"name": _READER, "position": Jsonb(_to_json(after))})
    return result


def _to_json(position: Position) -> dict[str, Any]:
    until = position.until
    return {
        "seen": [position.seen.first_unseen, *position.seen.open],
        "until": None if until is None else [until.first_unseen, *until.open],
        "after": position.after,
    }


def _to_position(stored: Mapping[str, Any]) -> Position:
    until = stored["until"]
    return Position(_to_moment(stored["seen"]), None if until is None else _to_moment(until), stored["after"])


def _to_moment(numbers: Sequence[int]) -> Moment:
    return Moment(numbers[0], tuple(numbers[1:]))
