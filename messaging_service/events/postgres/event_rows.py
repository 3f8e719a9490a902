"""Reading the events of messages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from typing_extensions import override

from messaging_service.events.domain.event_cursor import EventFilter, LoggedEvent, Moment, Position, Step
from messaging_service.events.domain.outbox_event import OutboxEvent
from messaging_service.events.event_log import EntryEvents, EventLog
from messaging_service.privacy.sealing.message_contents import PLAIN, Contents
from messaging_service.shared.domain.message import Message
from messaging_service.shared.postgres.message_columns import MESSAGE
from messaging_service.shared.postgres.migrated import migrated
from messaging_service.shared.postgres.record_columns import RecordColumns
from messaging_service.shared.postgres.tenancy import of_callers, tenants
from service_kit.access.principal import AccessMode, Accounts
from service_kit.postgres.database import Connection, Pool, single_statement, transaction

_EVENT = RecordColumns(
    OutboxEvent,
    table="e",
    sql={
        "message_id": "m.id",
        "account_id": "m.account_id",
        "client_message_id": "m.client_message_id",
        "mode": "m.mode",
    },
)


class _InLog(NamedTuple):
    """What the log says of an event besides."""

    xact: str
    """Of its transaction."""
    tags: Sequence[str]
    """Of its message."""


_LOGGED = _EVENT.plus(_InLog, xact="e.xact::text", tags="m.tags")

_OF_ONE = f"""
    SELECT {_EVENT.sql} FROM message m LEFT JOIN LATERAL (
        SELECT * FROM message_event WHERE message_id = m.id AND id > %(after)s ORDER BY id LIMIT %(limit)s
    ) e ON true
    WHERE m.id = %(message_id)s AND {of_callers("m.account_id")} ORDER BY e.id
"""


class _Newest(NamedTuple):
    """How far the events of a message go."""

    event_id: int | None


_MESSAGE = MESSAGE.plus(_Newest, event_id="(SELECT max(e.id) FROM message_event e WHERE e.message_id = m.id)")
_ENTRY = f"""
    SELECT {_MESSAGE.sql} FROM message m WHERE m.id = %(message_id)s AND {of_callers("m.account_id")}
"""

# Numbers that this database has not given out yet can only come from a restored copy of another one.
_PRESENT = """
    SELECT pg_current_snapshot()::text, (
        SELECT e.xact::text FROM message_event e WHERE e.xact < pg_snapshot_xmax(pg_current_snapshot())
        ORDER BY e.xact DESC LIMIT 1
    )
"""

# The snapshot is that of the statement itself, so what it does not show is exactly what the next one will.
# Two branches, each an index range: a transaction that stays open for long costs one look-up, and none of what came
# after it is read twice. By id, not by transaction: a transaction may have had its number before another one, whose
# change of the same message it then waited for.
_STEP = """
    SELECT now.*, step.* FROM ({present}) AS now LEFT JOIN (
        SELECT {logged}
        FROM (
            SELECT * FROM message_event
            WHERE xact >= %(first)s::xid8 AND xact < pg_snapshot_xmax(pg_current_snapshot())
            UNION ALL
            SELECT * FROM message_event WHERE xact = ANY(%(open)s::xid8[])
        ) e {message}
        WHERE {conditions} ORDER BY e.id LIMIT %(limit)s
    ) AS step ON true ORDER BY step.id
"""
_JOIN = "JOIN message m ON m.id = e.message_id"
# A look has few events, so their messages are looked up one by one. Left to choose, the planner may read all messages
# that the watched accounts ever sent.
_LOOK_UP = """CROSS JOIN LATERAL (
    SELECT id, account_id, client_message_id, tags, mode FROM message WHERE id = e.message_id OFFSET 0
) m"""
_WAY = ("e.id > %(after)s", "e.xact < %(until)s::xid8", "e.xact <> ALL(%(until_open)s::xid8[])")

# Who was away for long may wait longer than a sender.
_PATIENT = "SET LOCAL statement_timeout = '10min'"


class PostgresEntryEvents(EntryEvents):
    """Implements the port EntryEvents."""

    def __init__(self, pool: Pool, contents: Contents = PLAIN) -> None:
        """`contents` opens texts; they are stored as they are unless given."""
        self._pool = pool
        self._contents = contents

    @override
    async def events_of(
        self, message_id: UUID, after: int, limit: int, accounts: Accounts
    ) -> Sequence[OutboxEvent] | None:
        parameters = {"message_id": message_id, "after": after, "limit": limit, **tenants(accounts)}
        async with migrated(single_statement(self._pool)) as connection:
            cursor = await connection.execute(_OF_ONE, parameters)
            rows = await cursor.fetchall()
        # A message without further events is one row of its own columns alone.
        return [_EVENT.read(row) for row in rows if row[0] is not None] if rows else None

    @override
    async def entry(self, message_id: UUID, accounts: Accounts) -> tuple[Message, int] | None:
        parameters = {"message_id": message_id, **tenants(accounts)}
        async with migrated(single_statement(self._pool)) as connection:
            row = await (await connection.execute(_ENTRY, parameters)).fetchone()
        if row is None:
            return None
        stored, newest = _MESSAGE.read(row)
        (message,) = await self._contents.opened([stored])
        return message, newest.event_id or 0


class PostgresEventLog(EventLog):
    """Implements the port EventLog."""

    def __init__(self, pool: Pool) -> None:
        """`pool`: not that of the senders, as catching up takes a connection for long."""
        self._pool = pool

    @override
    async def present(self) -> Moment:
        async with migrated(single_statement(self._pool)) as connection:
            return await read_present(connection)

    @override
    async def follow(self, position: Position, accounts: Collection[str], limit: int) -> Step:
        async with migrated(single_statement(self._pool)) as connection:
            conditions, parameters = ["m.account_id = ANY(%(accounts)s)"], {"accounts": list(accounts)}
            return await _step(
                connection, position, _LOOK_UP, conditions=conditions, parameters=parameters, limit=limit
            )

    @override
    async def catch_up(self, position: Position, wanted: EventFilter, limit: int) -> Step:
        conditions = ["m.account_id = %(account_id)s"]
        parameters: dict[str, Any] = {"account_id": wanted.account_id}
        if wanted.states:
            conditions.append("e.to_state = ANY(%(states)s)")
            parameters["states"] = [state.value for state in wanted.states]
        if wanted.tag is not None:
            conditions.append("%(tag)s = ANY(m.tags)")
            parameters["tag"] = wanted.tag
        if wanted.message_id is not None:
            conditions.append("m.id = %(message_id)s")
            parameters["message_id"] = wanted.message_id
        if wanted.caller is AccessMode.TEST:
            conditions.append("m.mode = 'test'")
        async with migrated(transaction(self._pool)) as connection:
            await connection.execute(_PATIENT)
            return await _step(connection, position, _JOIN, conditions=conditions, parameters=parameters, limit=limit)


async def read_present(connection: Connection) -> Moment:
    """How far the log reads at this moment."""
    row = await (await connection.execute(_PRESENT)).fetchone()
    assert row is not None, "a statement without a table has one row"  # noqa: S101 - an invariant
    return _to_moment(*row)


async def read_next(
    connection: Connection, position: Position, *, conditions: list[str], parameters: dict[str, Any], limit: int
) -> Step:
    """The next events after a recent position that fulfil conditions on `e`, the event, and `m`, its message."""
    return await _step(connection, position, _LOOK_UP, conditions=conditions, parameters=parameters, limit=limit)


async def _step(
    connection: Connection,
    position: Position,
    message: str,
    *,
    conditions: list[str],
    parameters: dict[str, Any],
    limit: int,
) -> Step:
    parameters |= {"first": str(position.seen.first_unseen), "open": _texts(position.seen.open), "limit": limit}
    if position.until is not None:
        conditions += _WAY
        parameters |= {
            "after": position.after,
            "until": str(position.until.first_unseen),
            "until_open": _texts(position.until.open),
        }
    statement = _STEP.format(present=_PRESENT, logged=_LOGGED.sql, message=message, conditions=" AND ".join(conditions))
    rows = await (await connection.execute(statement.encode(), parameters)).fetchall()
    goal = position.until or _to_moment(*rows[0][:2])
    # The snapshot and the newest number come first; alone when there was nothing else.
    events = [_to_logged(row[2:]) for row in rows if row[2] is not None]
    if len(events) < limit:
        return Step(position, events, Position(goal))
    return Step(position, events, Position(position.seen, goal, events[-1].event.id))


def _to_logged(row: tuple[Any, ...]) -> LoggedEvent:
    event, log = _LOGGED.read(row)
    return LoggedEvent(event, transaction=int(log.xact), tags=tuple(log.tags))


def _to_moment(snapshot: str, newest: str | None) -> Moment:
    """A moment out of `xmin:xmax:open,open`, cut at the newest transaction that has an event."""
    first_unseen = 1 if newest is None else int(newest) + 1
    numbers = (int(text) for text in snapshot.rsplit(":", 1)[1].split(",") if text)
    return Moment(first_unseen, tuple(number for number in numbers if number < first_unseen))


def _texts(numbers: Sequence[int]) -> list[str]:
    return [str(number) for number in numbers]
