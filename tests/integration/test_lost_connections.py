"""Connections whose server dies, stands still or says that it closes them: nobody waits for ever."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
import uvloop

from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.errors import ServiceError
from service_kit.postgres.database import create_pool, single_statement, transaction
from service_kit.postgres.pipeline import Connection, Statement
from tests.system import pgbouncer
from tests.system.databases import over_tcp
from tests.system.ports import free_port

CONNECTIONS = 30
ROUNDS = int(os.environ.get("TUKUPAY_LOST_ROUNDS", "1"))
HUNG_S = 8.0
"""A trip that has not ended by then is called hung; its own bound is far longer."""
ONE = Statement("SELECT 1")
SLOW = Statement("SELECT pg_sleep(%(seconds)s::float8)")
RUNNING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ended' AND state = 'active'"


@pytest.fixture(scope="module", params=["tcp", "unix socket"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[EmbeddedPostgres, str]]:
    port = free_port() if request.param == "tcp" else None
    with EmbeddedPostgres(tmp_path_factory.mktemp("lost") / "postgres", fsync=False, port=port) as server:
        yield server, over_tcp(server, "postgres") if port else server.url("postgres")


@contextmanager
def standing_still(server: EmbeddedPostgres, *pids: int) -> Iterator[None]:
    assert server.pid is not None
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def _ask_after(connection: Connection, seconds: float, way: str) -> str:
    await asyncio.sleep(seconds)
    try:
        async with asyncio.timeout(HUNG_S):
            await (connection.trip(ONE()) if way == "trip" else connection.execute("SELECT 1"))
    except TimeoutError:
        return "hung"
    except psycopg.OperationalError:
        return "lost"
    return "answered"


async def _killed_meanwhile(server: EmbeddedPostgres, url: str, way: str) -> list[str]:
    """How one question on each of many idle connections ends, sent around the death of the postmaster."""
    connections = [await Connection.connect(url, autocommit=True) for _ in range(CONNECTIONS)]
    for connection in connections:
        await connection.trip(ONE())
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    ends = await asyncio.gather(
        *(_ask_after(connection, 0.012 * place / CONNECTIONS, way) for place, connection in enumerate(connections))
    )
    for connection in connections:
        await connection.close()
    return ends


@pytest.mark.parametrize("way", ["trip", "cursor"])
def test_nobody_hangs_when_the_postmaster_is_killed(server: tuple[EmbeddedPostgres, str], way: str) -> None:
    for _ in range(ROUNDS):
        ends = uvloop.run(_killed_meanwhile(*server, way))
        assert len(ends) == CONNECTIONS
        assert "hung" not in ends
        server[0].open()


@pytest.mark.parametrize("way", ["trip", "cursor"])
def test_a_server_that_stands_still_is_given_up_in_time(
    server: tuple[EmbeddedPostgres, str], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "patience_s", 0.5)

    async def ask() -> None:
        async with await Connection.connect(server[1], autocommit=True) as connection:
            with standing_still(server[0], connection.info.backend_pid):
                async with asyncio.timeout(5):
                    with pytest.raises(psycopg.OperationalError, match=r"did not answer within 0\.5 s"):
                        await (connection.trip(ONE()) if way == "trip" else connection.execute("SELECT 1"))
            assert connection.closed

    uvloop.run(ask())


def test_a_connection_that_the_server_says_it_closes_is_closed_at_once(server: tuple[EmbeddedPostgres, str]) -> None:
    async def end_it() -> None:
        async with await Connection.connect(server[1], autocommit=True, application_name="ended") as connection:
            trip = asyncio.create_task(connection.trip(SLOW(seconds=60.0)))
            async with await psycopg.AsyncConnection.connect(server[1], autocommit=True) as other:
                async with asyncio.timeout(30):
                    while await (await other.execute(RUNNING)).fetchone() != (1,):
                        continue
                await other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
            async with asyncio.timeout(5):
                with pytest.raises(psycopg.OperationalError):
                    await trip
            assert connection.closed

    uvloop.run(end_it())


def test_a_caller_that_leaves_a_silent_server_is_let_go(server: tuple[EmbeddedPostgres, str]) -> None:
    async def leave() -> None:
        async with create_pool(server[1], "lost", max_size=1) as pool:
            async with single_statement(pool) as connection:
                backend = connection.info.backend_pid
            with standing_still(server[0], backend):
                loop = asyncio.get_running_loop()
                began = loop.time()
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2), transaction(pool):
                        pytest.fail("the transaction cannot begin")
                assert loop.time() - began < 2
            async with transaction(pool) as connection:
                assert connection.info.backend_pid != backend

    uvloop.run(leave())


@pytest.mark.skipif(pgbouncer.SETTING in os.environ, reason="PgBouncer keeps the server's session, until RECONNECT")
@pytest.mark.parametrize("way", ["trip", "cursor"])
async def test_a_session_that_is_read_only_is_thrown_away(postgres_server: EmbeddedPostgres, way: str) -> None:
    postgres_server.ensure_database("read_only")
    note = "CREATE TABLE IF NOT EXISTS noted (what text)"

    async with create_pool(postgres_server.url("read_only"), "read-only", max_size=1) as pool:

        async def write() -> int:
            async with single_statement(pool) as connection:
                await (connection.trip(Statement(note)()) if way == "trip" else connection.execute(note))
                return connection.info.backend_pid

        first = await write()
        async with single_statement(pool) as connection:
            await connection.execute("SET default_transaction_read_only = on")
        with pytest.raises(ServiceError, match="the database is read-only") as refused:
            await write()
        assert refused.value.reason == "DATABASE_UNAVAILABLE"
        assert refused.value.retry_after is not None
        assert await write() != first


@pytest.mark.skipif(pgbouncer.SETTING in os.environ, reason="PgBouncer keeps the server's session, until RECONNECT")
@pytest.mark.parametrize("way", ["trip", "cursor"])
async def test_statements_whose_columns_changed_their_type_go_on_after_one_failure(
    postgres_server: EmbeddedPostgres, way: str
) -> None:
    postgres_server.ensure_database("stale")
    read = "SELECT what FROM stale"

    async with create_pool(postgres_server.url("stale"), "stale", max_size=1) as pool:
        statement = Statement(read)

        async def ask() -> None:
            async with single_statement(pool) as connection:
                await (connection.trip(statement()) if way == "trip" else connection.execute(read, prepare=True))

        async with await psycopg.AsyncConnection.connect(postgres_server.url("stale"), autocommit=True) as other:
            await other.execute("DROP TABLE IF EXISTS stale")
            await other.execute("CREATE TABLE stale (what text)")
            await ask()
            await other.execute("ALTER TABLE stale ALTER COLUMN what TYPE varchar")
        with pytest.raises(ServiceError) as refused:
            await ask()
        assert refused.value.reason == "DATABASE_UNAVAILABLE"
        await ask()


async def test_a_right_that_is_missing_is_named_and_remembered(postgres_server: EmbeddedPostgres) -> None:
    async with create_pool(postgres_server.url("postgres"), "rights", max_size=1) as pool:

        async def write_as_another() -> None:
            async with transaction(pool) as connection:
                await connection.execute("SET LOCAL ROLE pg_read_all_stats")
                await connection.execute("CREATE TABLE public.mine (id int)")

        with pytest.raises(ServiceError, match="refuses this service a right"):
            await write_as_another()
        assert pool.refusal == "the database refuses this service a right that it needs"
