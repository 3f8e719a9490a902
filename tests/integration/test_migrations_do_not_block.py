"""Migrations of both services run beside the release before: none blocks, and each can be run again."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, event

from messaging_service.migrations import MIGRATIONS as MESSAGING_MIGRATIONS
from messaging_service.wiring import messaging_tables
from pricing_service.adapters import cost_tables as pricing_tables
from pricing_service.migrations import MIGRATIONS as PRICING_MIGRATIONS
from service_kit.postgres import migrations
from service_kit.postgres.migrations import TableInUseError
from service_kit.postgres.revisions import read_revisions
from tests.conftest import FreshDatabase
from tests.system.blocking_ddl import Ran, blocking

BOTH = pytest.mark.parametrize(
    ("folder", "metadata"),
    [(PRICING_MIGRATIONS, pricing_tables.metadata), (MESSAGING_MIGRATIONS, messaging_tables.metadata)],
    ids=["pricing", "messaging"],
)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Ran]:
    """The statements of all migrations that the test runs, as they come."""
    statements: list[Ran] = []
    make_engine = migrations.engine_for

    def watched(url: str) -> Engine:
        engine = make_engine(url)

        @event.listens_for(engine, "before_cursor_execute")
        def note(_connection: object, cursor: psycopg.Cursor, statement: str, *_rest: object) -> None:
            statements.append(Ran(statement, alone=cursor.connection.autocommit))

        return engine

    monkeypatch.setattr(migrations, "engine_for", watched)
    return statements


def revisions(folder: Path) -> list[tuple[str, str | None, dict[str, str]]]:
    """Each migration, oldest first: its number, the one before, and what it says of statements that block."""
    scripts = reversed(list(ScriptDirectory(str(folder)).walk_revisions()))
    found = []
    for script in scripts:
        assert script.down_revision is None or isinstance(script.down_revision, str)
        found.append((script.revision, script.down_revision, getattr(script.module, "BLOCKS", {})))
    return found


@BOTH
def test_no_migration_blocks_the_service_and_each_can_be_run_again(
    folder: Path, metadata: MetaData, fresh_database: FreshDatabase, ran: list[Ran]
) -> None:
    url = fresh_database()
    problems = []
    for revision, before, blocks in revisions(folder):
        ran.clear()
        migrations.upgrade(url, folder, metadata, revision)
        problems += [f"{revision}: {problem}" for problem in blocking(ran, blocks)]
        if any(each.alone for each in ran):
            # As after an interruption: what was done is there, and not on record.
            with psycopg.connect(url) as connection:
                connection.execute("UPDATE alembic_version SET version_num = %s", (before,))
            migrations.upgrade(url, folder, metadata, revision)
    assert problems == []
    with psycopg.connect(url) as connection:
        invalid = connection.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid").fetchall()
    assert invalid == []


@BOTH
def test_what_runs_outside_of_a_transaction_runs_beside_traffic(folder: Path, metadata: MetaData) -> None:
    assert metadata.tables
    for path in (folder / "versions").glob("*.py"):
        assert "autocommit_block" not in path.read_text(), f"{path.name}: use service_kit.postgres.online_ddl"


@BOTH
def test_a_migration_waits_for_no_table_for_long_and_says_what_it_waited_for(
    folder: Path, metadata: MetaData, fresh_database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = fresh_database()
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT_S", 0.2)
    (first, *_), (second, *_), *_ = revisions(folder)
    migrations.upgrade(url, folder, metadata, first)
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TableInUseError, match=r"more than 0\.2 s, .*alembic_version"):
            migrations.upgrade(url, folder, metadata, second)
        other.rollback()
        migrations.upgrade(url, folder, metadata)
        version = other.execute("SELECT version_num FROM alembic_version").fetchall()
    assert version == [(read_revisions(folder).head,)]


def test_an_index_waits_for_a_long_report_without_being_broken_off(
    fresh_database: FreshDatabase, monkeypatch: pytest.MonkeyPatch, ran: list[Ran]
) -> None:
    url = fresh_database()
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT_S", 0.2)
    migrations.upgrade(url, MESSAGING_MIGRATIONS, messaging_tables.metadata, "0016")
    ran.clear()
    migrations.upgrade(url, MESSAGING_MIGRATIONS, messaging_tables.metadata, "0017")
    order = [" ".join(each.sql.split()) for each in ran if re.search(r"lock_timeout|CONCURRENTLY", each.sql)]
    bound = "SET lock_timeout = '200ms'"
    free = "SET lock_timeout = 0"
    assert order[0] == "SET lock_timeout = '0.2s'"
    kinds = [bound if each == bound else free if each == free else each.split()[0] for each in order[1:]]
    assert kinds == ["SHOW", free, "DROP", "CREATE", bound, "SHOW", free, "DROP", bound]
