"""The migrations, the tables in code, and what the database refuses by itself."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from psycopg.conninfo import make_conninfo
from sqlalchemy import inspect

from messaging_service.migrations import MIGRATIONS
from messaging_service.shared.domain.states import State
from messaging_service.wiring.messaging_tables import metadata
from messaging_service.wiring.migrate import migrate
from service_kit.errors import Kind, ServiceError
from service_kit.postgres.database import create_pool
from service_kit.postgres.migrations import engine_for
from service_kit.postgres.revisions import read_revisions
from tests.conftest import FreshDatabase
from tests.contract.sms_examples import acceptance
from tests.integration.messaging.conftest import WINDOWS, record
from tests.system.messaging_replica import Replica


def months(url: str) -> set[str]:
    """The partitions, which follow their tables; those of a migrated database depend on the day."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r'"
        ).fetchall()
    return {row[0] for row in found}


def definitions(url: str) -> set[tuple[str, str, str]]:
    """Constraints, indexes and storage options of every table."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'public'::regnamespace AND contype <> 'n' "
            "UNION ALL SELECT tablename::text, indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public' "
            "UNION ALL SELECT relname::text, 'options', "
            "array_to_string(ARRAY(SELECT unnest(reloptions) ORDER BY 1), ',') "
            "FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        ).fetchall()
    return {(row[0], row[1], row[2]) for row in found if row[0] not in {"alembic_version", *months(url)}}


def test_the_migrations_make_exactly_the_tables_in_code(database_url: str, fresh_database: FreshDatabase) -> None:
    engine = engine_for(database_url)
    with engine.connect() as connection:
        partitions = months(database_url)
        options = {
            "compare_type": True,
            "compare_server_default": True,
            "include_name": lambda name, kind, _: kind != "table" or name not in partitions,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        assert set(inspect(connection).get_table_names()) - partitions == {*metadata.tables, "alembic_version"}
    engine.dispose()
    # What the comparison does not look at: check constraints, expressions of indexes, storage.
    from_code = fresh_database()
    engine = engine_for(from_code)
    metadata.create_all(engine)
    engine.dispose()
    assert definitions(database_url) == definitions(from_code)


def test_every_constraint_has_a_name_of_ours(database_url: str) -> None:
    names = [name for _, name, _ in definitions(database_url) if name != "options"]
    assert all(re.match(r"(pk|fk|uq|ck|ix)_", name) for name in names)


def test_every_instant_has_its_time_zone() -> None:
    for table in metadata.tables.values():
        for column in table.columns:
            if column.name.endswith("_at") or column.name in ("at", "lease_until"):
                assert column.type.timezone is True, f"{table.name}.{column.name}"  # type: ignore[attr-defined]


def test_the_states_of_the_database_are_those_of_the_code(database_url: str) -> None:
    (text,) = (text for _, name, text in definitions(database_url) if name == "ck_message_state")
    assert set(re.findall(r"'(\w+)'", text)) == {state.value for state in State}


def test_replicas_that_start_together_migrate_once(fresh_database: FreshDatabase) -> None:
    url = fresh_database()
    # Threads that wait for one another for ever could not be ended; the server ends what they wait for.
    bounded = make_conninfo(url, options="-c lock_timeout=20s -c statement_timeout=60s")
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(migrate, [bounded] * 4))
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
            (read_revisions(MIGRATIONS).head,)
        ]


def test_migrating_again_changes_nothing(database_url: str) -> None:
    before = definitions(database_url)
    migrate(database_url)
    assert definitions(database_url) == before


@pytest.mark.parametrize(
    ("constraint", "statement"),
    [
        ("ck_message_state", "UPDATE message SET state = 'lost'"),
        ("ck_message_billing", "UPDATE message SET billing = 'free'"),
        ("ck_message_priority", "UPDATE message SET priority = 'urgent'"),
        ("ck_message_encoding", "UPDATE message SET encoding = 'latin1'"),
        ("ck_message_price_level", "UPDATE message SET price_level = 'friend'"),
        ("ck_message_units_positive", "UPDATE message SET units = 0, total = 0"),
        ("ck_message_total_exact", "UPDATE message SET total = total + 0.000001"),
        ("ck_dispatch_state", "UPDATE dispatch SET state = 'accepted', lease_until = NULL"),
        ("ck_dispatch_lane", "UPDATE dispatch SET lane = 2"),
        ("ck_dispatch_lease_while_submitting", "UPDATE dispatch SET lease_until = NULL"),
        ("ck_account_held_not_negative", "UPDATE account SET held = -1"),
        ("ck_account_credit_limit_not_negative", "UPDATE account SET credit_limit = -1"),
        ("ck_account_prepaid_within_limit", "UPDATE account SET mode = 'prepaid', held = 0.000001"),
        ("ck_account_mode", "UPDATE account SET mode = 'free'"),
        ("ck_account_status", "UPDATE account SET status = 'gone'"),
        ("ck_ledger_entry_kind", "INSERT INTO ledger_entry (account_id, kind, amount) VALUES ('user123', 'gift', 1)"),
        (
            "ck_ledger_entry_charge_of_a_message",
            "INSERT INTO ledger_entry (account_id, kind, amount) VALUES ('user123', 'charge', -1)",
        ),
        (
            "uq_ledger_entry_message_id_attempt_kind",
            "INSERT INTO ledger_entry (account_id, kind, amount, message_id, attempt) "
            "SELECT 'user123', 'charge', -1, id, 1 FROM message, generate_series(1, 2)",
        ),
        ("fk_message_account_id", "UPDATE message SET account_id = 'nobody'"),
        (
            "ck_receipt_state",
            "INSERT INTO receipt (carrier, carrier_message_id, canonical_id, state, raw) "
            "VALUES ('smpp', '1', '1', 'lost', '')",
        ),
    ],
)
async def test_the_database_refuses_rows_that_break_the_rules(
    outbox: Replica, database_url: str, constraint: str, statement: str
) -> None:
    await record(outbox, acceptance(claimed=True))
    with psycopg.connect(database_url) as connection:
        with pytest.raises(psycopg.errors.IntegrityError) as caught:
            connection.execute(statement.encode())
        assert caught.value.diag.constraint_name == constraint
        connection.rollback()


async def test_a_database_without_migrations_says_how_to_get_them(fresh_database: FreshDatabase) -> None:
    async with create_pool(fresh_database(), "bare") as pool:
        outbox = Replica(pool, "here", WINDOWS)
        for call in (outbox.claim(1), outbox.sweep(), outbox.accept([acceptance()]), outbox.receipts.work(1)):
            with pytest.raises(ServiceError) as caught:
                await call
            assert (caught.value.kind, caught.value.reason) == (Kind.UNAVAILABLE, "DATABASE_NOT_READY")
            assert "tukupay-sms migrate" in caught.value.message
