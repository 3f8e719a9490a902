"""Positions among the events of a database that has a past."""

from __future__ import annotations

import psycopg

from messaging_service.events.domain.event_cursor import Position
from messaging_service.events.postgres.event_rows import PostgresEventLog
from service_kit.postgres.database import create_pool

WRITTEN = """
    INSERT INTO message_event (message_id, attempt, to_state, actor, xact)
    VALUES (overlay(gen_random_uuid()::text PLACING '0100' FROM 1 FOR 4)::uuid,
        1, 'ready', 'test', coalesce(%s::xid8, pg_current_xact_id()))
    RETURNING xact::text::bigint
"""


async def written(connection: psycopg.AsyncConnection[tuple[int]], transaction: int | None = None) -> int:
    row = await (await connection.execute(WRITTEN, (None if transaction is None else str(transaction),))).fetchone()
    assert row is not None
    return row[0]


async def test_the_newest_transaction_is_found_by_its_number_and_not_by_how_it_is_spelled(database_url: str) -> None:
    async with (
        create_pool(database_url, "log") as pool,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection,
    ):
        newest = await written(connection)
        await written(connection, 9)
        assert newest > 9
        moment = await PostgresEventLog(pool).present()
        assert moment.first_unseen == newest + 1
        assert moment.saw(9)


async def test_numbers_from_a_restored_copy_do_not_count_as_seen_or_come_again(database_url: str) -> None:
    async with (
        create_pool(database_url, "log") as pool,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection,
    ):
        log = PostgresEventLog(pool)
        # A table that was copied from a database whose transactions had come further.
        await written(connection, 2**40)
        before = await log.present()
        assert before.first_unseen < 2**40
        step = await log.follow(Position(before), {"user123"}, 10)
        assert (list(step.events), step.position.seen.first_unseen) == ([], before.first_unseen)


async def test_an_empty_log_has_a_position_from_which_everything_is_new(database_url: str) -> None:
    async with (
        create_pool(database_url, "log") as pool,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection,
    ):
        moment = await PostgresEventLog(pool).present()
        assert not moment.saw(await written(connection))
