"""Trips against a real PostgreSQL: what comes back, what an error leaves, and who may use the connection next."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.errors import ServiceError
from service_kit.postgres.database import Pool, Transaction, create_pool, quick_transaction, single_statement
from service_kit.postgres.pipeline import BEGIN, COMMIT, ROLLBACK, Connection, Statement
from tests.system import pgbouncer
from tests.system.waiting import eventually

PAIR = Statement("SELECT %(left)s::int, %(right)s::text, %(left)s::numeric / 4")
NOTE = Statement("INSERT INTO noted (what) VALUES (%(what)s) RETURNING what")
NOTED = Statement("SELECT what FROM noted ORDER BY what")
FAILS = Statement("SELECT 1 / %(divisor)s::int")


@pytest.fixture
def url(postgres_server: EmbeddedPostgres) -> str:
    postgres_server.ensure_database("trips")
    return postgres_server.url("trips")


@pytest.fixture
async def connection(url: str) -> AsyncIterator[Connection]:
    async with await Connection.connect(url, autocommit=True) as connection:
        await connection.execute("DROP TABLE IF EXISTS noted")
        await connection.execute("CREATE TABLE noted (what text PRIMARY KEY)")
        yield connection


async def test_each_statement_of_a_trip_has_its_rows(connection: Connection) -> None:
    for _ in range(3):
        first, none, second = await connection.trip(PAIR(left=3, right="Habari"), BEGIN, PAIR(left=-8, right=None))
        assert first == [(3, "Habari", Decimal("0.75"))]
        assert none == ()
        assert second == [(-8, None, Decimal(-2))]
        await connection.trip(ROLLBACK)


async def test_values_arrive_as_they_were_given(connection: Connection) -> None:
    echo = Statement("SELECT %(text)s::text, %(octets)s::text, %(number)s::float8, %(flag)s::bool, %(many)s::text[]")
    text = 'it\'s \\ {a,"b"} \n Ünïcödé 😀 %(no)s'
    many = [text, "", "NULL", "a,b", "{}"]
    (rows,) = await connection.trip(echo(text=text, octets=text.encode(), number=0.1, flag=True, many=many))
    assert rows == [(text, text, 0.1, True, many)]
    assert (await connection.trip(echo(text=None, octets=None, number=None, flag=None, many=[])))[0] == [
        (None, None, None, None, [])
    ]


async def test_arrays_of_numbers_and_ids_arrive_as_they_were_given(connection: Connection) -> None:
    echo = Statement("SELECT %(numbers)s::bigint[], %(ids)s::uuid[]")
    ids = [UUID(int=number) for number in (0, 1, 2**128 - 1)]
    assert await connection.trip(echo(numbers=[-1, 2**62], ids=ids)) == [[([-1, 2**62], ids)]]


async def test_a_parameter_that_is_missing_is_told_before_anything_is_sent(connection: Connection) -> None:
    with pytest.raises(KeyError, match="right"):
        PAIR(left=1)
    assert connection.info.transaction_status is TransactionStatus.IDLE


async def test_answers_larger_than_any_buffer_come_whole(connection: Connection) -> None:
    many = Statement("SELECT n, repeat('x', 1000) || %(text)s FROM generate_series(1, %(rows)s::int) n")
    long = "y" * 3_000_000
    longer, rest = await connection.trip(many(rows=2, text=long), many(rows=5_000, text="z"))
    assert [len(text) for _, text in longer] == [3_001_000, 3_001_000]
    assert len(rest) == 5_000


async def test_an_error_undoes_what_the_trip_did_before_it(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await connection.trip(NOTE(what="a"), FAILS(divisor=0), NOTE(what="b"))
    assert await connection.trip(NOTED()) == [[]]
    assert await connection.trip(NOTE(what="c")) == [[("c",)]]


async def test_an_error_in_a_transaction_waits_for_its_rollback_and_commits_nothing(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await connection.trip(BEGIN, NOTE(what="a"), FAILS(divisor=0), COMMIT)
    assert connection.info.transaction_status is TransactionStatus.INERROR
    await connection.trip(ROLLBACK)
    assert await connection.trip(NOTED()) == [[]]


async def test_a_statement_whose_preparation_failed_is_prepared_the_next_time(connection: Connection) -> None:
    later = Statement("SELECT count(*) FROM later")
    for _ in range(2):
        with pytest.raises(psycopg.errors.UndefinedTable):
            await connection.trip(BEGIN, later(), COMMIT)
        await connection.trip(ROLLBACK)
    await connection.execute("CREATE TEMPORARY TABLE later (id int)")
    assert await connection.trip(later()) == [[(0,)]]


@pytest.mark.skipif(pgbouncer.SETTING in os.environ, reason="PgBouncer does not see what SQL drops")
@pytest.mark.parametrize("drop", ["DEALLOCATE ALL", f"DEALLOCATE {NOTED().statement.name.decode()}"])
async def test_statements_that_somebody_dropped_are_prepared_anew_after_one_failure(
    connection: Connection, url: str, drop: str
) -> None:
    async with create_pool(url, "trips", max_size=1) as pool:
        async with single_statement(pool) as used:
            await used.trip(NOTED(), NOTE(what="a"))
            await used.execute(drop.encode())
        with pytest.raises(ServiceError, match="try again shortly"):
            async with single_statement(pool) as used:
                await used.trip(NOTED())
        async with single_statement(pool) as used:
            assert await used.trip(NOTED(), NOTE(what="b")) == [[("a",)], [("b",)]]


async def test_one_name_means_one_statement_on_every_connection(connection: Connection, url: str) -> None:
    names = "SELECT name, statement FROM pg_prepared_statements WHERE statement LIKE '%noted%' ORDER BY name"
    async with await Connection.connect(url, autocommit=True) as other:
        await connection.trip(NOTED(), NOTE(what="a"))
        await other.trip(NOTE(what="b"))
        await other.trip(PAIR(left=1, right=None), NOTED())
        first, second = [await (await each.execute(names)).fetchall() for each in (connection, other)]
    assert first == second
    assert len({name for name, _ in first}) == 2


async def test_equal_texts_are_one_statement(connection: Connection) -> None:
    again = Statement("SELECT what FROM noted ORDER BY what")
    assert await connection.trip(NOTED(), again()) == [[], []]
    assert await connection.trip(again(), NOTED()) == [[], []]


async def test_trips_and_cursors_take_turns_on_one_connection(connection: Connection) -> None:
    for number in range(10):
        await connection.trip(BEGIN, NOTE(what=f"{number}"))
        cursor = await connection.execute("SELECT count(*) FROM noted")
        assert await cursor.fetchone() == (number + 1,)
        await connection.trip(COMMIT)


async def test_who_is_cancelled_meanwhile_closes_the_connection(connection: Connection) -> None:
    wait = Statement("SELECT pg_sleep(60)")
    trip = asyncio.create_task(connection.trip(BEGIN, wait()))
    await asyncio.sleep(0)
    trip.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trip
    assert connection.broken or connection.closed
    with pytest.raises(psycopg.OperationalError):
        await connection.trip(NOTED())


async def test_a_server_that_goes_away_ends_the_trip(connection: Connection, url: str) -> None:
    backend = connection.info.backend_pid
    trip = asyncio.create_task(connection.trip(Statement("SELECT pg_sleep(60)")()))
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as other:
        running = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active' AND wait_event = 'PgSleep'"

        async def has_begun() -> tuple[Any, ...] | None:
            return await (await other.execute(running, (backend,))).fetchone()

        await eventually("the statement runs", has_begun)
        await other.execute("SELECT pg_terminate_backend(%s)", (backend,))
        async with asyncio.timeout(30):
            with pytest.raises(psycopg.OperationalError):
                await trip


async def test_a_quick_transaction_commits_with_its_last_statement_or_at_its_end(
    connection: Connection, url: str
) -> None:
    async with create_pool(url, "trips", max_size=1) as pool:
        async with quick_transaction(pool) as transaction:
            assert await transaction.run(NOTE(what="a")) == [[("a",)]]
            assert await connection.trip(NOTED()) == [[]]
            assert await transaction.run_last(NOTE(what="b"), NOTED()) == [[("b",)], [("a",), ("b",)]]
            assert await connection.trip(NOTED()) == [[("a",), ("b",)]]
        async with quick_transaction(pool) as transaction:
            await transaction.run(NOTE(what="c"))
        assert await connection.trip(NOTED()) == [[("a",), ("b",), ("c",)]]
        async with quick_transaction(pool):
            pass


async def _raises(transaction: Transaction) -> None:
    await transaction.run(NOTE(what="a"))
    raise LookupError


async def _fails_at_its_end(transaction: Transaction) -> None:
    await transaction.run(NOTE(what="a"))
    await transaction.run_last(NOTE(what="a"))


async def _ended_before(transaction: Transaction) -> None:
    await transaction.run(NOTE(what="a"))
    await transaction.connection.trip(ROLLBACK)
    await transaction.run_last(NOTE(what="b"))


@pytest.mark.parametrize(
    ("body", "error"),
    [(_raises, LookupError), (_fails_at_its_end, psycopg.errors.UniqueViolation), (_ended_before, ServiceError)],
)
async def test_a_quick_transaction_whose_body_fails_leaves_nothing(
    connection: Connection, url: str, body: Callable[[Transaction], Awaitable[None]], error: type[Exception]
) -> None:
    async def run(pool: Pool) -> None:
        async with quick_transaction(pool) as transaction:
            await body(transaction)

    async with create_pool(url, "trips", max_size=1) as pool:
        with pytest.raises(error):
            await run(pool)
        assert await connection.trip(NOTED()) == [[]]
        async with quick_transaction(pool) as transaction:
            assert await transaction.run_last(NOTE(what="c")) == [[("c",)]]
