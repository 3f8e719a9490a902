"""Watches and crashes of the database.

A server that crashes gives transaction numbers out again that left nothing durable; no cursor may count them.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import psycopg
import pytest
from grpc import aio

from messaging_service.events.domain.event_cursor import EventFilter, Position
from messaging_service.events.postgres.event_rows import PostgresEventLog
from messaging_service.shared.domain.outbox_ids import new_outbox_id
from messaging_service.wiring.migrate import migrate
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.errors import Kind
from service_kit.postgres.database import create_pool
from tests.doubles.event_journal import ACCOUNT, MESSAGE_ROW
from tests.integration.messaging.running_service import Running, refusal_of, service_on
from tests.system.waiting import until
from tukupay.sms.messaging.v1 import events_pb2

_EVENT = """
    INSERT INTO message_event (message_id, attempt, to_state, actor) VALUES (%s, 1, 'ready', 'test')
    RETURNING id, xact::text::bigint
"""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    async with EmbeddedPostgres(tmp_path / "postgres") as server:
        server.ensure_database("messaging")
        migrate(server.url("messaging"))
        yield server


def written(url: str, message_id: UUID) -> tuple[int, int]:
    """Id and transaction of an event that is committed."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(_EVENT, (message_id,)).fetchone()
    assert row is not None
    return row[0], row[1]


async def moment_and_numbers_without_a_trace(url: str) -> tuple[Position, int]:
    """A position taken after transactions that ended without a trace, and the last of their numbers."""
    numbers: list[int] = []
    with psycopg.connect(url) as connection:
        for _ in range(50):
            numbers += connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone() or ()
            connection.rollback()
    async with create_pool(url, "log") as pool:
        return Position(await PostgresEventLog(pool).present()), numbers[-1]


def keep_what_is_not_committed_from_the_disk(server: EmbeddedPostgres) -> None:
    """Slows the process down that writes the log of the database in the background, by default every 200 ms.

    What it has written of rolled back transactions survives a crash, and their numbers are not given out again.
    """
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
    server.close()
    server.open()


def crash(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    until("the server is gone", lambda: not server.is_running())


async def test_events_under_numbers_that_are_given_out_again_are_not_missed(server: EmbeddedPostgres) -> None:
    keep_what_is_not_committed_from_the_disk(server)
    url = server.url("messaging")
    message_id = new_outbox_id()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO account (id) VALUES (%s)", (ACCOUNT,))
        connection.execute(MESSAGE_ROW, (message_id, ACCOUNT, str(message_id), []))
    written(url, message_id)
    position, last = await moment_and_numbers_without_a_trace(url)
    crash(server)
    server.open()
    event_id, transaction = written(url, message_id)
    assert transaction <= last, "the crash gave no number out again, so this shows nothing"
    async with create_pool(url, "log") as pool:
        step = await PostgresEventLog(pool).catch_up(position, EventFilter(ACCOUNT), 10)
    assert [logged.event.id for logged in step.events] == [event_id]


@pytest.mark.timeout(120)
async def test_a_watch_ends_when_the_database_does_and_goes_on_afterwards(server: EmbeddedPostgres) -> None:
    async with service_on(server.url("messaging"), pool_timeout_s=0.5) as service:
        call: Any = service.events.WatchOutbox(events_pb2.WatchOutboxRequest(user_id="user123"))
        cursor = (await call.read()).cursor
        crash(server)
        error = await refusal_of(call.read())
        assert (error.kind, error.reason) == (Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE")
        server.open()
        async with asyncio.timeout(60):
            sent = await sent_again(service)
            found: list[str] = []
            resumed: Any = service.events.WatchOutbox(events_pb2.WatchOutboxRequest(user_id="user123", cursor=cursor))
            while len(found) < 2:
                found += [event.outbox_id for event in (await resumed.read()).events]
    assert found[:2] == [sent, sent]


async def sent_again(service: Running) -> str:
    """Sends one as soon as that is possible again."""
    while True:
        try:
            return (await service.send(message_id="after")).entry.outbox_id
        except aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE, error.details()  # noqa: PT017 - one of many tries
