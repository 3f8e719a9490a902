"""Whatever the order in which transactions end and watchers come and go, each watcher gets every event, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messaging_service.events.domain.event_cursor import EventFilter, Position
from messaging_service.events.event_tail import EventTail, TailLimits
from messaging_service.events.watch_outbox import OutboxNews, WatchOutbox
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.errors import ServiceError
from tests.conftest import DatabaseTemplate
from tests.doubles.event_journal import ACCOUNT, InMemoryJournal, Journal, PostgresJournal, Writer
from tests.system.effort import effort
from tests.system.messaging_database import empty_database

MESSAGES = 3
WATCHERS = 2
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.just(0), st.just(0)),
        st.tuples(st.just("write"), st.integers(0, 3), st.integers(0, MESSAGES - 1)),
        st.tuples(st.just("commit"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("abort"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("look"), st.just(0), st.just(0)),
        st.tuples(st.just("commit"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("write"), st.integers(0, 3), st.integers(0, MESSAGES - 1)),
        st.tuples(st.just("read"), st.integers(0, WATCHERS - 1), st.integers(1, 2)),
        st.tuples(st.just("leave"), st.integers(0, WATCHERS - 1), st.integers(0, 5)),
    ),
    min_size=20,
    max_size=80,
)
BUFFERS = st.integers(1, 4)


class _NoLog:
    def upkeep_failed(self, duty: str, error: ServiceError) -> None:
        raise AssertionError(error.reason)

    def upkeep_crashed(self, duty: str, error: Exception) -> None:
        raise error


@dataclass
class Watcher:
    """Works on events, and remembers how far it had got at each cursor."""

    watch: WatchOutbox
    look: Any
    worked: list[tuple[UUID, int]] = field(default_factory=list)
    cursors: list[tuple[Position, int]] = field(default_factory=list)
    stream: AsyncGenerator[OutboxNews, None] | None = None

    async def read(self) -> bool:
        """Takes one piece of news; whether there was anything in it."""
        if self.stream is None:
            position = self.cursors[-1][0] if self.cursors else None
            self.stream = self.watch.account(EventFilter(ACCOUNT), position, 0.0)
        coming = asyncio.ensure_future(anext(self.stream))
        while not coming.done():
            await self.look()
            await asyncio.wait([coming], timeout=0)
        try:
            news = coming.result()
        except ServiceError as error:
            if error.reason != "WATCHER_TOO_SLOW":
                raise
            self.stream = None
            return True
        self.worked += [(event.message_id, event.id) for event in news.events]
        self.cursors.append((news.position, len(self.worked)))
        return bool(news.events)

    async def read_all(self) -> None:
        # An empty piece of news may be the beginning of a stream, or come from before the last look.
        while await self.read() or await self.read() or await self.read():
            pass

    def first_worked(self, message: UUID) -> list[int]:
        """The events of a message, without repetitions."""
        return list(dict.fromkeys(number for of, number in self.worked if of == message))

    async def leave(self, cursor: int) -> None:
        """Loses the stream, and with it what it had done after one of its cursors."""
        if self.stream is not None:
            await self.stream.aclose()
            self.stream = None
        if self.cursors:
            del self.cursors[cursor % len(self.cursors) + 1 :]
            del self.worked[self.cursors[-1][1] :]


@dataclass
class Writers:
    """Up to four open transactions; each locks the messages that it changes."""

    journal: Journal
    messages: list[UUID]
    open: list[tuple[Writer, dict[UUID, list[int]]]] = field(default_factory=list)
    committed: dict[UUID, list[int]] = field(default_factory=dict)

    async def act(self, action: str, which: int, message: UUID) -> None:
        if action == "begin" and len(self.open) < 4:
            self.open.append((await self.journal.begin(), {}))
        elif action == "write" and self.open:
            writer, wrote = self.open[which % len(self.open)]
            if not any(message in held for other, held in self.open if other is not writer):
                wrote.setdefault(message, []).append(await writer.write(message))
        elif action in {"commit", "abort"} and self.open:
            await self._end(*self.open.pop(which % len(self.open)), commits=action == "commit")

    async def _end(self, writer: Writer, wrote: dict[UUID, list[int]], *, commits: bool) -> None:
        if not commits:
            await writer.abort()
            return
        await writer.commit()
        for message, ids in wrote.items():
            self.committed.setdefault(message, []).extend(ids)


async def play(journal: Journal, actions: list[tuple[str, int, int]], buffer: int) -> None:
    tail = EventTail(journal.log, TailLimits(poll_s=1.0, watches=10, buffer=buffer, page=2), _NoLog())
    watch = WatchOutbox(tail, journal.log, None)  # type: ignore[arg-type]  # entries are not watched here
    messages = [await journal.message() for _ in range(MESSAGES)]
    watchers = [Watcher(watch, tail.look) for _ in range(WATCHERS)]
    writers = Writers(journal, messages)
    for watcher in watchers:
        await watcher.read()
    for action, which, detail in actions:
        if action == "look":
            await tail.look()
        elif action == "read":
            for _ in range(detail):
                await watchers[which].read()
        elif action == "leave":
            await watchers[which].leave(detail)
        else:
            await writers.act(action, which, messages[detail])
    while writers.open:
        await writers.act("abort", 0, messages[0])
    for watcher in watchers:
        await watcher.read_all()
        await watcher.leave(len(watcher.cursors) - 1)
        for message in messages:
            assert watcher.first_worked(message) == writers.committed.get(message, [])


@settings(max_examples=effort(150, 2_000), deadline=None)
@given(ACTIONS, BUFFERS)
def test_every_watcher_of_the_fake_gets_every_event_in_order(actions: list[tuple[str, int, int]], buffer: int) -> None:
    asyncio.run(play(InMemoryJournal(), actions, buffer))


@pytest.mark.timeout(240)
def test_every_watcher_of_postgresql_gets_every_event_in_order(
    postgres_server: EmbeddedPostgres, database_template: DatabaseTemplate
) -> None:
    @settings(max_examples=effort(12, 100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(ACTIONS, BUFFERS)
    def interleaved(actions: list[tuple[str, int, int]], buffer: int) -> None:
        async def scenario() -> None:
            url = empty_database(postgres_server, database_template)
            async with AsyncExitStack() as closing:
                await play(await PostgresJournal(url, closing).open(), actions, buffer)

        asyncio.run(scenario())

    interleaved()
