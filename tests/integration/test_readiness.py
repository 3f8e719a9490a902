"""When a service says that it serves, and why it does not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.testing import capture_logs

from pricing_service.adapters.migrate import migrate
from pricing_service.migrations import MIGRATIONS
from pricing_service.transport.servicer import SERVICE_NAME
from service_kit import readiness
from service_kit.duties.ending import end_tasks
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.grpc.grpc_server import GrpcServer
from service_kit.postgres import database
from service_kit.postgres.database import Pool, create_pool
from service_kit.readiness import SchemaCheck, report_readiness
from service_kit.settings import Address
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.system import pgbouncer

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
async def pool(
    fresh_database: FreshDatabase, database_template: DatabaseTemplate, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Pool]:
    monkeypatch.setattr(readiness, "CHECK_EVERY_S", 0.01)
    url = fresh_database(template=database_template("pricing_template", migrate))
    async with create_pool(url, "readiness", max_size=2) as pool:
        yield pool


class Service:
    """What a probe sees of a service on a pool, and what was logged of it."""

    def __init__(self, health: health_pb2_grpc.HealthStub, lines: Sequence[MutableMapping[str, Any]]) -> None:
        self._health = health
        self._lines = lines

    async def status(self, service: str = "") -> int:
        answer = await self._health.Check(health_pb2.HealthCheckRequest(service=service))
        return int(answer.status)

    async def becomes(self, status: int) -> None:
        async with asyncio.timeout(10):
            while await self.status() != status:
                continue

    @property
    def problem(self) -> object:
        return [line["problem"] for line in self._lines if line["event"] == "service.not_serving"][-1]


@asynccontextmanager
async def reporting(pool: Pool, *others: Callable[[], str | None]) -> AsyncIterator[Service]:
    server = GrpcServer(Address("127.0.0.1", 0), [SERVICE_NAME])
    await server.start()
    with capture_logs() as lines:
        task = asyncio.ensure_future(report_readiness(pool, SchemaCheck(MIGRATIONS), server, others))
        async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield Service(health_pb2_grpc.HealthStub(channel), lines)
        await end_tasks([task])
    await server.stop(0)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (psycopg.errors.DiskFull(), "the database has no room left on its disk"),
        (psycopg.errors.IoError(), "the database cannot read or write its files"),
        (psycopg.errors.InsufficientPrivilege(), "the database refuses this service a right that it needs"),
    ],
)
async def test_a_write_that_was_refused_counts_for_some_seconds(
    pool: Pool, error: psycopg.Error, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with reporting(pool) as service:
        await service.becomes(SERVING)
        pool.note(psycopg.errors.DeadlockDetected())
        assert pool.refusal is None
        pool.note(error)
        await service.becomes(NOT_SERVING)
        assert service.problem == words
        monkeypatch.setattr(database, "REFUSED_FOR_S", 0.0)
        await service.becomes(SERVING)


async def test_what_else_keeps_a_service_from_its_work_is_named(pool: Pool) -> None:
    problems: list[str | None] = [None]
    async with reporting(pool, lambda: None, lambda: problems[0]) as service:
        await service.becomes(SERVING)
        problems[0] = "the oldest acceptance has waited for more than 10 s"
        await service.becomes(NOT_SERVING)
        assert service.problem == problems[0]
        problems[0] = None
        await service.becomes(SERVING)


async def test_a_probe_of_the_process_alone_is_told_that_it_lives(pool: Pool) -> None:
    async with reporting(pool, lambda: "something is wrong") as service:
        await service.becomes(NOT_SERVING)
        assert await service.status("live") == SERVING


@pytest.mark.skipif(pgbouncer.SETTING in os.environ, reason="PgBouncer keeps sessions from before the change")
async def test_a_read_only_database_is_named(postgres_server: EmbeddedPostgres, pool: Pool) -> None:
    async with reporting(pool) as service:
        await service.becomes(SERVING)
        name = psycopg.conninfo.conninfo_to_dict(str(pool.conninfo))["dbname"]
        async with await psycopg.AsyncConnection.connect(postgres_server.url("postgres"), autocommit=True) as other:
            await other.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
            await pool.drain()
            await service.becomes(NOT_SERVING)
            assert service.problem == "the database is read-only"
            await other.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
        # By itself: a session that leads to a former primary stays read-only for as long as it is kept.
        await service.becomes(SERVING)
