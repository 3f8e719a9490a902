"""Months of messages go once nothing waits in them; books and evidence stay whole, and no key leads to nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from messaging_service.accounts.postgres.verification import verify_books
from messaging_service.months.domain.month_rules import months_after
from messaging_service.months.postgres import month_removal
from messaging_service.months.postgres.postgres_months import PostgresKeyRetention
from messaging_service.sending.outbox import Acceptance, Accepted
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.outbox_ids import lowest_id
from messaging_service.wiring.chained_messaging_tables import CHAINED_TABLES, EVENTS
from messaging_service.wiring.migrate import migrate
from service_kit.postgres.chain_verification import ChainVerdict, verify_chain
from service_kit.postgres.database import Pool, create_pool, transaction
from service_kit.postgres.hash_chain import HashChains
from service_kit.postgres.partitions import detach, partitions
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.contract.sms_examples import acceptance, accepted
from tests.doubles.duty_log import StrictDuties
from tests.integration.messaging.conftest import record, sent
from tests.system.messaging_database import rows
from tests.system.messaging_replica import Replica


@pytest.fixture
def database_url(fresh_database: FreshDatabase, database_template: DatabaseTemplate) -> str:
    """A database of its own, as what is removed of it does not come back."""
    return fresh_database(template=database_template("messaging_template", migrate))


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, "months", max_size=3) as pool:
        yield pool


@pytest.fixture
def when(database_url: str) -> datetime:
    """A time at which the first partition of messages is over for a month, and the second one is not."""
    with psycopg.connect(database_url) as connection:
        first = partitions(connection, "message")[0]
    return months_after(first.ends, 1)


async def chained(pool: Pool) -> None:
    chains = HashChains(pool, CHAINED_TABLES, StrictDuties(), clock=lambda: 0.0)
    for _ in range(3):
        while await chains.chain_once() == 0:
            pass


def obstacles(url: str, now: datetime, keep: int = 1) -> list[str]:
    """Of the first month."""
    with psycopg.connect(url, autocommit=True) as connection:
        first, *_ = month_removal.plan(connection, now, keep)
    return list(first.obstacles)


def remove(url: str, now: datetime, keep: int = 1) -> list[tuple[str, int]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return [(each.table, each.rows) for each in month_removal.remove(connection, now, keep, by="amina")]


def events_chain(url: str) -> ChainVerdict:
    with psycopg.connect(url, autocommit=True) as connection:
        return verify_chain(connection, EVENTS)


async def test_a_month_goes_when_nothing_waits_in_it_and_says_until_then_what_does(
    outbox: Replica, pool: Pool, database_url: str, when: datetime
) -> None:
    taken = await sent(outbox, accepted("C1"), message_id="known")
    waiting = await record(outbox, acceptance(message_id="waits"))
    assert obstacles(database_url, when, keep=0) == ["all months are kept"]
    assert obstacles(database_url, months_after(when, -1)) == ["1 months are kept"]
    assert obstacles(database_url, when) == [
        "1 messages are open, with money on hold",
        "1 messages are in the queue",
        "3 events are not chained yet",
    ]
    assert remove(database_url, when) == []
    await outbox.cancel(waiting.id, None)
    await chained(pool)
    assert obstacles(database_url, when) == []

    assert remove(database_url, when) == [("message", 2), ("message_event", 4), ("message_part", 1)]
    assert remove(database_url, when) == []
    assert await outbox.get(taken.id, None) is None
    await assert_books_and_evidence_are_whole(pool, database_url)
    # Whoever sends with its key again sends anew, in a month that is there.
    (again,) = await outbox.accept([in_a_later_month(acceptance(message_id="known"), when)])
    assert isinstance(again, Accepted)
    assert not again.replayed


def in_a_later_month(item: Acceptance, when: datetime) -> Acceptance:
    return replace(item, message_id=lowest_id(when))


async def assert_books_and_evidence_are_whole(pool: Pool, url: str) -> None:
    async with transaction(pool) as connection:
        books = await verify_books(connection, None, 10)
    assert (books.faults, books.messages, books.entries) == ((), 0, 1)
    verdict = events_chain(url)
    assert (verdict.fault, verdict.rows, verdict.removed) == (None, 0, 4)
    noted = await rows(url, "SELECT subject, principal FROM audit_entry WHERE action = 'rows.removed' ORDER BY id")
    assert noted == [("message", "amina"), ("message_event", "amina"), ("message_part", "amina")]


async def test_an_event_that_somebody_deletes_is_missing_all_the_same(
    outbox: Replica, pool: Pool, database_url: str, when: datetime
) -> None:
    await sent(outbox, accepted())
    later = in_a_later_month(acceptance(), when)
    await outbox.accept([later])
    await chained(pool)
    remove(database_url, when)
    assert events_chain(database_url).fault is None
    (number,) = await rows(database_url, "DELETE FROM message_event RETURNING id")
    assert events_chain(database_url).fault == f"row {number[0]} of message_event is missing"


async def test_a_removal_that_was_broken_off_goes_on_and_a_message_that_was_opened_meanwhile_is_put_back(
    outbox: Replica, pool: Pool, database_url: str, when: datetime
) -> None:
    await sent(outbox, accepted())
    waiting = await record(outbox, acceptance())
    await chained(pool)
    with psycopg.connect(database_url, autocommit=True) as connection:
        # As the process dies before it looked again.
        detach(connection, partitions(connection, "message")[0])
        assert await outbox.get(waiting.id, None) is None
        partition = partitions(connection, "message")[0]
        assert not partition.is_attached
        with pytest.raises(month_removal.MonthInUseError, match="1 messages were opened again, and 1 are in the queue"):
            month_removal.take_out(connection, partition)
    assert await stored_state(outbox, waiting) == "ready"
    await outbox.cancel(waiting.id, None)
    await chained(pool)
    with psycopg.connect(database_url, autocommit=True) as connection:
        detach(connection, partitions(connection, "message")[0])
    assert [table for table, _ in remove(database_url, when)] == ["message", "message_event", "message_part"]
    assert events_chain(database_url).fault is None


async def stored_state(outbox: Replica, message: Message) -> str:
    found = await outbox.get(message.id, None)
    assert found is not None
    return found.state.value


async def test_keys_of_old_messages_are_forgotten_in_steps_and_those_in_the_queue_stay(
    outbox: Replica, pool: Pool, database_url: str
) -> None:
    for name in ("one", "two", "three"):
        await sent(outbox, accepted(), message_id=name)
    await record(outbox, acceptance(message_id="waits"))
    keys = PostgresKeyRetention(pool)
    assert await keys.forget(86_400, 10) == 0
    assert await keys.forget(-60, 2) == 2
    assert await keys.forget(-60, 2) == 2
    assert await keys.forget(-60, 2) == 0
    assert await rows(database_url, "SELECT key FROM idempotency") == [("waits",)]
    (again,) = await outbox.accept([acceptance(message_id="one")])
    assert isinstance(again, Accepted)
    assert not again.replayed


def test_months_are_counted_over_the_turn_of_the_year() -> None:
    assert months_after(datetime(2026, 12, 31, 23, tzinfo=UTC), 1) == datetime(2027, 1, 1, tzinfo=UTC)
    assert months_after(datetime(2026, 1, 31, tzinfo=UTC), -13) == datetime(2024, 12, 1, tzinfo=UTC)
