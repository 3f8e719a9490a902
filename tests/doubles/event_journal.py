"""Writers of events with transactions that tests open, leave open and end in any order, and the log over them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import psycopg
from uuid_utils.compat import uuid7

from messaging_service.events.domain.event_cursor import EventFilter, LoggedEvent, Moment, Position, Step
from messaging_service.events.domain.outbox_event import OutboxEvent
from messaging_service.events.event_log import EventLog
from messaging_service.events.postgres.event_rows import PostgresEventLog
from messaging_service.shared.domain.states import State
from service_kit.access.principal import AccessMode
from service_kit.postgres.database import create_pool
from tests.system.messaging_database import STAYS_OPEN

ACCOUNT = "user123"
OTHER_ACCOUNT = "somebody"


class Writer(Protocol):
    """An open transaction."""

    async def write(self, message_id: UUID, to_state: State = State.READY) -> int:
        """Records an event and gives its id; nobody sees it yet."""
        ...

    async def commit(self) -> None: ...
    async def abort(self) -> None: ...


class Journal(Protocol):
    """A database of events."""

    @property
    def log(self) -> EventLog: ...

    async def message(self, account_id: str = ACCOUNT, tags: Sequence[str] = ()) -> UUID:
        """A message without an event."""
        ...

    async def begin(self) -> Writer:
        """A new transaction, numbered at once."""
        ...


@dataclass
class _Row:
    transaction: int
    event: OutboxEvent


@dataclass
class InMemoryJournal:
    """Implements Journal and EventLog: plain lists, and the yardstick of the real one."""

    accounts: dict[UUID, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    rows: list[_Row] = field(default_factory=list)
    open: set[int] = field(default_factory=set)
    aborted: set[int] = field(default_factory=set)
    transactions: int = 100
    ids: int = 0
    looks: int = 0
    failure: Exception | None = None

    @property
    def log(self) -> EventLog:
        return self

    async def message(self, account_id: str = ACCOUNT, tags: Sequence[str] = ()) -> UUID:
        message_id = uuid7()
        self.accounts[message_id] = (account_id, tuple(tags))
        return message_id

    async def begin(self) -> Writer:
        self.transactions += 1
        self.open.add(self.transactions)
        return InMemoryWriter(self, self.transactions)

    def _visible(self) -> list[_Row]:
        return [row for row in self.rows if row.transaction not in self.open | self.aborted]

    async def present(self) -> Moment:
        first_unseen = max((row.transaction for row in self._visible()), default=0) + 1
        return Moment(first_unseen, tuple(sorted(number for number in self.open if number < first_unseen)))

    async def follow(self, position: Position, accounts: Collection[str], limit: int) -> Step:
        self.looks += 1
        return await self._step(position, lambda logged: logged.event.account_id in accounts, limit)

    async def catch_up(self, position: Position, wanted: EventFilter, limit: int) -> Step:
        return await self._step(position, wanted.takes, limit)

    async def _step(self, position: Position, takes: Any, limit: int) -> Step:
        if self.failure is not None:
            raise self.failure
        goal = position.until or await self.present()
        found = [
            LoggedEvent(row.event, row.transaction, self.accounts[row.event.message_id][1])
            for row in sorted(self._visible(), key=lambda row: row.event.id)
            if not position.seen.saw(row.transaction)
            and (position.until is None or (position.until.saw(row.transaction) and row.event.id > position.after))
        ]
        events = [logged for logged in found if takes(logged)][:limit]
        if len(events) < limit:
            return Step(position, events, Position(goal))
        return Step(position, events, Position(position.seen, goal, events[-1].event.id))


@dataclass
class InMemoryWriter:
    journal: InMemoryJournal
    transaction: int

    async def write(self, message_id: UUID, to_state: State = State.READY) -> int:
        journal = self.journal
        journal.ids += 1
        event = OutboxEvent(
            id=journal.ids,
            message_id=message_id,
            account_id=journal.accounts[message_id][0],
            client_message_id=str(message_id),
            attempt=1,
            from_state=None,
            to_state=to_state,
            at=datetime.now(UTC),
            carrier=None,
            code=None,
            next_try_at=None,
            carrier_error_code=None,
            mode=AccessMode.LIVE,
        )
        journal.rows.append(_Row(self.transaction, event))
        return event.id

    async def commit(self) -> None:
        self.journal.open.discard(self.transaction)

    async def abort(self) -> None:
        self.journal.open.discard(self.transaction)
        self.journal.aborted.add(self.transaction)


MESSAGE_ROW = """
    INSERT INTO message (
        id, account_id, client_message_id, recipient, text, sender_id, priority, encoding, units, price_cost_id,
        price_level, unit_price, total, state, billing, tags
    ) VALUES (%s, %s, %s, '+254712345678', 'Hello', 'TUKUPAY', 'normal', 'gsm7', 1, 'cost_1', 'direct_customer', 0.6,
        0.6, 'ready', 'held', %s)
"""
_EVENT = "INSERT INTO message_event (message_id, attempt, to_state, actor) VALUES (%s, 1, %s, 'test') RETURNING id"


class PostgresJournal:
    """Implements Journal."""

    def __init__(self, url: str, closing: AsyncExitStack) -> None:
        self._url = url
        self._closing = closing
        self._log: EventLog

    @property
    def log(self) -> EventLog:
        return self._log

    async def open(self) -> PostgresJournal:
        pool = await self._closing.enter_async_context(create_pool(self._url, "log", max_size=2))
        self._log = PostgresEventLog(pool)
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            for account in (ACCOUNT, OTHER_ACCOUNT):
                await connection.execute("INSERT INTO account (id) VALUES (%s)", (account,))
        return self

    async def message(self, account_id: str = ACCOUNT, tags: Sequence[str] = ()) -> UUID:
        message_id = uuid7()
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            await connection.execute(MESSAGE_ROW, (message_id, account_id, str(message_id), list(tags)))
        return message_id

    async def begin(self) -> Writer:
        connection = await psycopg.AsyncConnection.connect(self._url, options=STAYS_OPEN)
        await connection.execute("SELECT pg_current_xact_id()")
        return PostgresWriter(connection)


class PostgresWriter:
    def __init__(self, connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
        self._connection = connection

    async def write(self, message_id: UUID, to_state: State = State.READY) -> int:
        row = await (await self._connection.execute(_EVENT, (message_id, to_state.value))).fetchone()
        assert row is not None
        return int(row[0])

    async def commit(self) -> None:
        await self._connection.commit()
        await self._connection.close()

    async def abort(self) -> None:
        await self._connection.rollback()
        await self._connection.close()
