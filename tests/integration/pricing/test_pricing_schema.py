"""The migrations and the tables in code."""

from __future__ import annotations

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from pricing_service.adapters.cost_tables import metadata
from pricing_service.adapters.migrate import migrate
from pricing_service.migrations import MIGRATIONS
from service_kit.postgres.migrations import engine_for, upgrade
from tests.conftest import FreshDatabase


def constraints(url: str) -> set[tuple[str, str, str]]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'"
        ).fetchall()
    return {(row[0], row[1], row[2]) for row in rows}


def test_the_migrations_make_exactly_the_tables_in_code(pricing_url: str, fresh_database: FreshDatabase) -> None:
    engine = engine_for(pricing_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}
    engine.dispose()
    # What the comparison does not look at: check constraints, and the names of keys.
    from_code = fresh_database()
    engine = engine_for(from_code)
    metadata.create_all(engine)
    engine.dispose()
    assert constraints(pricing_url) == constraints(from_code)


def test_migrating_again_changes_nothing(pricing_url: str) -> None:
    before = constraints(pricing_url)
    migrate(pricing_url)
    assert constraints(pricing_url) == before


def test_prices_of_the_release_before_keep_their_place(fresh_database: FreshDatabase) -> None:
    url = fresh_database()
    upgrade(url, MIGRATIONS, metadata, "0001")
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO cost (cost_id, level, entity, effective_from, revision, price, created_by, recorded_at, "
            "epoch) VALUES ('cost_1', 'TukuPay', '', '2024-12-13Z', 1, 1.0, 'admin123', '2024-12-12Z', 1)"
        )
        connection.execute("UPDATE price_epoch SET epoch = 1")
    migrate(url)
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT changed_at = '2024-12-12Z' FROM price_epoch").fetchone()
        assert row == (True,)
        row = connection.execute("SELECT overridden_guards, withdrawn_at FROM cost").fetchone()
        assert row == ([], None)


WITHDRAWN = {
    "withdrawn_at": "2024-12-12T00:00:00Z",
    "withdrawn_by": "user456",
    "withdrawn_reason": "agreed otherwise",
    "withdrawn_epoch": 5,
}


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("ck_cost_level", {"level": "Reseller", "entity": ""}),
        ("ck_cost_entity_fits_level", {"entity": ""}),
        ("ck_cost_entity_fits_level", {"level": "TukuPay"}),
        ("ck_cost_price_not_negative", {"price": "-0.000001"}),
        ("ck_cost_withdrawal_whole", {"withdrawn_at": "2024-12-12T00:00:00Z"}),
        ("ck_cost_withdrawn_before_effect", WITHDRAWN | {"withdrawn_at": "2024-12-13T00:00:00Z"}),
        ("ck_cost_revision_from_one", {"revision": 0}),
        ("uq_cost_epoch", {"epoch": 1}),
        ("uq_cost_revision", {"revision": 1}),
        ("pk_cost", {"cost_id": "cost_1"}),
    ],
)
def test_the_database_refuses_rows_that_break_the_rules(
    pricing_url: str, constraint: str, changes: dict[str, object]
) -> None:
    row = {
        "cost_id": "cost_1",
        "level": "SpecificCustomer",
        "entity": "cust123",
        "effective_from": "2024-12-13T00:00:00Z",
        "revision": 1,
        "price": "0.7",
        "created_by": "admin123",
        "recorded_at": "2024-12-13T00:00:00Z",
        "epoch": 1,
        **dict.fromkeys(WITHDRAWN),
    }
    names = ", ".join(row)
    statement = f"INSERT INTO cost ({names}) VALUES ({', '.join(f'%({name})s' for name in row)})"
    with psycopg.connect(pricing_url) as connection:
        connection.execute(statement, row)
        with pytest.raises(psycopg.errors.IntegrityError) as caught:
            connection.execute(statement, row | {"epoch": 9, "cost_id": "cost_9", "revision": 9} | changes)
        assert caught.value.diag.constraint_name == constraint
        connection.rollback()
