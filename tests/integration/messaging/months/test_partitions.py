"""Tables of messages get their months beside traffic, and keep them ahead of time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event, Thread
from uuid import UUID

import psycopg
import pytest
from alembic.script import ScriptDirectory
from prometheus_client import CollectorRegistry
from psycopg.conninfo import make_conninfo

from messaging_service.migrations import MIGRATIONS
from messaging_service.months.domain.month_rules import AHEAD, horizon, months_after
from messaging_service.months.metrics.month_metrics import MonthMetrics
from messaging_service.months.month_upkeep import MonthUpkeep
from messaging_service.months.postgres.postgres_months import TABLES, PostgresMonths
from messaging_service.receipts.postgres import receipt_rows
from messaging_service.receipts.receipt_inbox import Worked
from messaging_service.shared.domain.outbox_ids import lowest_id, new_outbox_id
from messaging_service.wiring.messaging_tables import metadata
from messaging_service.wiring.migrate import grant, migrate
from service_kit.postgres.database import Pool, create_pool
from service_kit.postgres.migrations import upgrade
from service_kit.postgres.partitions import partitions
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.contract.sms_examples import accepted
from tests.doubles.duty_log import StrictDuties
from tests.integration.messaging.conftest import WINDOWS, receipt, sent
from tests.system.messaging_replica import Replica

REVISION = "0034"
# What a send of the release before writes, in its order.
SEND = """
    WITH recorded AS (
        INSERT INTO message (id, account_id, client_message_id, recipient, text, sender_id, priority, encoding, units,
            price_cost_id, price_level, unit_price, total, state, billing)
        VALUES (%(id)s, 'user123', %(id)s::text, '+254712345678', 'Hello', 'TUKUPAY', 'high', 'gsm7', 1, 'cost_1',
            'direct_customer', 1, 1, 'ready', 'held')
    ), queued AS (
        INSERT INTO dispatch (message_id, lane, due_at, queued_at, state, epoch, recipient)
        VALUES (%(id)s, 0, now(), now(), 'ready', 0, '+254712345678')
    ), noted AS (
        INSERT INTO message_event (message_id, attempt, to_state, actor) VALUES (%(id)s, 1, 'ready', 'before')
    ), taken AS (
        INSERT INTO message_part (message_id, attempt, part, carrier, carrier_message_id, canonical_id)
        VALUES (%(id)s, 1, 1, 'smpp', %(id)s::text, %(id)s::text)
    )
    UPDATE account SET held = held + 1 WHERE id = 'user123'
"""


SETTLE = """
    WITH moved AS (UPDATE message SET message_name = 'settled' WHERE id = %(id)s)
    UPDATE account SET held = held - 1 WHERE id = 'user123'
"""


class Sender:
    """Sends and settles without a pause, as two processes of the release before, all for one account."""

    def __init__(self, url: str) -> None:
        self.ids: list[UUID] = []
        self.slowest_s = 0.0
        self.failures: list[Exception] = []
        self._url = url
        self._over = Event()
        self._threads = [Thread(target=self._send) for _ in range(4)]

    def _send(self) -> None:
        try:
            with psycopg.connect(self._url, autocommit=True, options="-c statement_timeout=20s") as connection:
                while not self._over.is_set():
                    new, began = new_outbox_id(), time.monotonic()
                    with connection.transaction():
                        connection.execute("SELECT FROM account WHERE id = 'user123' FOR UPDATE")
                        connection.execute(SEND, {"id": new}, prepare=True)
                    self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                    self.ids.append(new)
                    # Whoever settles locks the other way round: the message, then the account.
                    with connection.transaction():
                        connection.execute("SELECT FROM dispatch WHERE message_id = %s FOR UPDATE", (new,))
                        connection.execute(SETTLE, {"id": new}, prepare=True)
        except psycopg.Error as error:
            self.failures.append(error)

    @contextmanager
    def sending(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join(20)


def revision_before() -> str:
    revision = ScriptDirectory(str(MIGRATIONS)).get_revision(REVISION).down_revision
    assert isinstance(revision, str)
    return revision


def test_tables_get_their_months_while_the_release_before_sends(fresh_database: FreshDatabase) -> None:
    url = fresh_database()
    upgrade(url, MIGRATIONS, metadata, revision_before())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE months_reader")
        connection.execute("INSERT INTO account (id) VALUES ('user123')")
        connection.execute("GRANT SELECT, UPDATE (raw) ON message_event TO months_reader")
        sender = Sender(url)
        with sender.sending():
            upgrade(url, MIGRATIONS, metadata)
        try:
            assert sender.failures == []
            assert sender.slowest_s < 2
            for table, column in (("message", "id"), ("message_event", "message_id"), ("message_part", "message_id")):
                found = connection.execute(f"SELECT DISTINCT {column} FROM {table}".encode()).fetchall()
                assert {row[0] for row in found} == set(sender.ids)
                assert horizon(datetime.now(UTC), partitions(connection, table)[-1].ends) >= AHEAD
            numbers = connection.execute("SELECT count(*), count(DISTINCT id), max(id) FROM message_event").fetchone()
            assert numbers == (len(sender.ids), len(sender.ids), len(sender.ids))
            rights = connection.execute(
                "SELECT has_table_privilege('months_reader', 'message_event', 'SELECT'), "
                "has_column_privilege('months_reader', 'message_event', 'raw', 'UPDATE'), "
                "has_table_privilege('months_reader', 'message_event', 'UPDATE')"
            ).fetchone()
            assert rights == (True, True, False)
        finally:
            connection.execute("DROP OWNED BY months_reader")
            connection.execute("DROP ROLE months_reader")


@pytest.fixture
def service_role(fresh_database: FreshDatabase, database_template: DatabaseTemplate) -> Iterator[tuple[str, str]]:
    """A database, for its owner and for the role of a service."""
    url = fresh_database(template=database_template("messaging_template", migrate))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE months_service LOGIN")
        own = make_conninfo(url, user="months_service")
        grant(own, url, "months_service")
        yield url, own
        connection.execute("DROP OWNED BY months_service")
        connection.execute("DROP ROLE months_service")


async def test_months_are_kept_ahead_by_a_role_that_may_make_no_tables(service_role: tuple[str, str]) -> None:
    url, own = service_role
    with psycopg.connect(url, autocommit=True) as connection:
        for table in TABLES:
            for each in partitions(connection, table)[-2:]:
                connection.execute(f"DROP TABLE {each.name}".encode())
        last = partitions(connection, "message")[-1].ends
    registry = CollectorRegistry()
    async with create_pool(own, "months", max_size=2) as pool:
        upkeeps = [upkeep_on(pool, registry), upkeep_on(pool, CollectorRegistry())]
        # Two processes at once add each month once.
        await asyncio.gather(*(each.look() for each in upkeeps))
        await upkeeps[0].look()
    for table in TABLES:
        shown = registry.get_sample_value("tukupay_partition_horizon_months", {"table": table})
        assert shown is not None
        assert shown >= AHEAD
    with psycopg.connect(url) as connection:
        months = partitions(connection, "message")
        fill = connection.execute(
            "SELECT DISTINCT reloptions FROM pg_class WHERE relname = ANY(%s)", ([each.name for each in months],)
        ).fetchall()
    assert months_after(last, 2) == months[-1].ends
    assert fill == [(["fillfactor=60"],)]
    with psycopg.connect(own) as service, pytest.raises(psycopg.errors.InsufficientPrivilege):
        service.execute(f"SELECT 1 FROM {months[0].name}".encode())


def test_migrating_again_adds_the_months_that_are_missing(service_role: tuple[str, str]) -> None:
    url, _ = service_role
    with psycopg.connect(url, autocommit=True) as connection:
        before = {table: partitions(connection, table) for table in TABLES}
        for table in TABLES:
            connection.execute(f"DROP TABLE {before[table][-1].name}".encode())
        migrate(url)
        assert {table: partitions(connection, table) for table in TABLES} == before


def upkeep_on(pool: Pool, registry: CollectorRegistry) -> MonthUpkeep:
    metrics = MonthMetrics(registry)
    return MonthUpkeep(PostgresMonths(pool), metrics, StrictDuties(), now=lambda: datetime.now(UTC), keep=0)


def test_the_horizon_is_counted_in_whole_months_after_this_one() -> None:
    now = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    assert horizon(now, datetime(2027, 4, 1, tzinfo=UTC)) == 3
    assert horizon(now, datetime(2027, 1, 1, tzinfo=UTC)) == 0
    assert horizon(now, datetime(2026, 12, 1, tzinfo=UTC)) == -1


async def test_a_receipt_looks_at_two_months_of_parts_and_finds_what_is_older_at_its_third_try(
    fresh_database: FreshDatabase, database_template: DatabaseTemplate
) -> None:
    url = fresh_database(template=database_template("messaging_template", migrate))
    with psycopg.connect(url, autocommit=True) as connection:
        for table in TABLES:
            with_year_of_months(connection, table)
    async with create_pool(url, "receipts", max_size=2) as pool:
        outbox = Replica(pool, "here", WINDOWS)
        old = await sent(outbox, accepted("C1"))
        year = lowest_id(months_after(datetime.now(UTC), -6))
        with psycopg.connect(url, autocommit=True) as connection:
            # As a message that was scheduled half a year ago for now.
            for table, column in (("message", "id"), ("message_event", "message_id"), ("message_part", "message_id")):
                connection.execute(f"UPDATE {table} SET {column} = %s".encode(), (year,))
        assert old.id != year
        await outbox.receipts.store([receipt("C1")])
        with psycopg.connect(url, autocommit=True) as connection:
            probed = partitions_probed(connection)
        assert probed == 2
        assert [(await due_again(url, outbox)).matched for _ in range(3)] == [0, 0, 1]
        found = await outbox.get(year, None)
        assert found is not None
        assert found.state.value == "delivered"


def with_year_of_months(connection: psycopg.Connection, table: str) -> None:
    """Has months from a year ago on, in place of the first partition of a new database."""
    for each in partitions(connection, table):
        connection.execute(f"DROP TABLE {each.name}".encode())
    begins = lowest_id(months_after(datetime.now(UTC), -12))
    connection.execute(
        f"CREATE TABLE {table}_past PARTITION OF {table} FOR VALUES FROM (MINVALUE) TO ('{begins}')".encode()
    )
    while connection.execute("SELECT add_month_partition(%s, 3)", (table,)).fetchone() != (None,):
        pass


def partitions_probed(connection: psycopg.Connection) -> int:
    """How many partitions of parts the statement reads that looks for the parts of waiting receipts."""
    statement = receipt_rows._WAITING
    connection.execute("SET plan_cache_mode = force_generic_plan")
    connection.execute(b"PREPARE waiting AS " + statement.text)
    with connection.transaction(force_rollback=True):
        plan = connection.execute("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE waiting(10)").fetchall()
    return sum("on message_part_" in line and "never executed" not in line for (line,) in plan)


async def due_again(url: str, outbox: Replica) -> Worked:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE receipt SET next_try_at = now()")
    return await outbox.receipts.work(10)
