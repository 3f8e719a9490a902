"""Reading the events of messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from messaging_service.adapters.postgres.foreseen import migrated
from messaging_service.domain.outbox_event import OutboxEvent
from messaging_service.domain.states import State
from service_kit.database import Pool, single_statement

EVENT_COLUMNS = """
    e.id, m.id, m.account_id, m.client_message_id, e.attempt, e.from_state, e.to_state, e.at, e.carrier, e.code
"""
"""The columns that `to_event` takes, in its order, of an event `e` and its message `m`."""

_OF_ONE = f"""
    SELECT {EVENT_COLUMNS} FROM message m LEFT JOIN LATERAL (
        SELECT * FROM message_event WHERE message_id = m.id AND id > %(after)s ORDER BY id LIMIT %(limit)s
    ) e ON true
    WHERE m.id = %(message_id)s ORDER BY e.id
"""


def to_event(row: tuple[Any, ...]) -> OutboxEvent:
    """One row of EVENT_COLUMNS; further columns are ignored."""
    return OutboxEvent(
        id=row[0],
        message_id=row[1],
        account_id=row[2],
        client_message_id=row[3],
        attempt=row[4],
        from_state=None if row[5] is None else State(row[5]),
        to_state=State(row[6]),
        at=row[7],
        carrier=row[8],
        code=row[9],
    )


class PostgresEntryEvents:
    """Implements the port EntryEvents."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def events_of(self, message_id: UUID, after: int, limit: int) -> Sequence[OutboxEvent] | None:
        """See EntryEvents.events_of."""
        async with migrated(single_statement(self._pool)) as connection:
            cursor = await connection.execute(_OF_ONE, {"message_id": message_id, "after": after, "limit": limit})
            rows = await cursor.fetchall()
        # A message without further events is one row of its own columns alone.
        return [to_event(row) for row in rows if row[0] is not None] if rows else None
