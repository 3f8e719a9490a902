"""Guards of sessions: who sets them, who looks at them, and what is not done without them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import MetaData

from messaging_service.shared.postgres.session_guards import GUARDS as MESSAGING
from messaging_service.wiring.migrate import migrate as migrate_messaging
from pricing_service.adapters.pricing_session_guards import GUARDS as PRICING
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.errors import Kind, ServiceError
from service_kit.postgres.database import WHOLE_TABLES, create_pool, single_statement, transaction
from service_kit.postgres.guards import Guards, GuardsNotSetError, UnguardedError, set_guards
from service_kit.postgres.migrations import upgrade
from tests.conftest import FreshDatabase


async def shown(url: str, guards: Guards, *names: str) -> list[str]:
    """What settings a session of a pool has."""
    async with create_pool(url, "guarded", guards=guards, timeout_s=10) as pool, single_statement(pool) as connection:
        return [(await (await connection.execute(f"SHOW {name}".encode())).fetchall())[0][0] for name in names]


async def refusal_of(url: str, guards: Guards) -> UnguardedError:
    """Why a pool gives no connection."""
    async with create_pool(url, "unguarded", guards=guards, timeout_s=10) as pool:
        with pytest.raises(UnguardedError) as caught:
            await pool.getconn()
    return caught.value


def alter(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.mark.parametrize("guards", [MESSAGING, PRICING], ids=["messaging", "pricing"])
async def test_sessions_have_the_guards_that_were_set(fresh_database: FreshDatabase, guards: Guards) -> None:
    url = fresh_database()
    set_guards(url, guards)
    assert await shown(url, guards, *guards) == list(guards.values())


@pytest.mark.parametrize("name", list(MESSAGING))
async def test_one_guard_that_is_missing_is_named_with_its_remedy(fresh_database: FreshDatabase, name: str) -> None:
    url = fresh_database()
    database = conninfo_to_dict(url)["dbname"]
    set_guards(url, MESSAGING)
    other = {"timezone": "Africa/Nairobi", "enable_seqscan": "on"}.get(name, "7")
    alter(url, f"ALTER ROLE CURRENT_USER IN DATABASE {database} SET {name} = '{other}'")
    words = str(await refusal_of(url, MESSAGING))
    assert f"{name} is " in words
    assert f"and must be {MESSAGING[name]}" in words
    assert f"""ALTER ROLE "tukupay" IN DATABASE "{database}" SET "{name}" = '{MESSAGING[name]}';""" in words
    assert "run `tukupay-sms migrate`" in words
    assert [each for each in MESSAGING if f"{each} is " in words] == [name]


async def test_callers_are_told_soon_that_the_database_is_not_ready_and_nothing_of_its_roles(
    fresh_database: FreshDatabase,
) -> None:
    async with create_pool(fresh_database(), "unguarded", guards=MESSAGING, timeout_s=60) as pool, asyncio.timeout(30):
        for way in (single_statement, transaction):
            with pytest.raises(ServiceError) as caught:
                async with way(pool):
                    pytest.fail("there is no guarded session")
            assert (caught.value.kind, caught.value.reason) == (Kind.UNAVAILABLE, "DATABASE_NOT_READY")
            assert "tukupay-sms migrate" in caught.value.message
            assert "tukupay" not in caught.value.message.replace("tukupay-sms migrate", "")


async def test_a_pool_goes_on_by_itself_when_its_guards_are_set(fresh_database: FreshDatabase) -> None:
    url = fresh_database()
    async with create_pool(url, "waiting", guards=MESSAGING, min_size=2, timeout_s=1) as pool, asyncio.timeout(60):
        with pytest.raises(UnguardedError):
            await pool.getconn()
        set_guards(url, MESSAGING)
        while pool.unguarded is not None:
            try:
                async with pool.connection() as connection:
                    await pool.check_guards(connection)
            except UnguardedError:
                continue


async def test_a_transaction_over_whole_tables_is_free_of_what_guards_single_rows(
    fresh_database: FreshDatabase,
) -> None:
    url = fresh_database()
    set_guards(url, MESSAGING)
    names = ("enable_seqscan", "max_parallel_workers_per_gather", "statement_timeout")
    query = f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}".encode()
    async with create_pool(url, "reports", guards=MESSAGING, max_size=1, timeout_s=10) as pool:
        async with transaction(pool, *WHOLE_TABLES) as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            assert await (await connection.execute(query)).fetchall() == [("on", "2", "30s")]
        async with transaction(pool) as connection:
            assert await (await connection.execute(query)).fetchall() == [("off", "0", "30s")]


def test_setting_guards_again_and_at_once_changes_nothing(fresh_database: FreshDatabase) -> None:
    url = fresh_database()
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda _: set_guards(url, MESSAGING), range(8)))
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
            "WHERE d.datname = current_database()"
        ).fetchall()
    assert len(found) == 1
    assert {item.partition("=")[0].lower() for item in found[0][0]} < set(MESSAGING)


@pytest.fixture
def service_role(postgres_server: EmbeddedPostgres, fresh_database: FreshDatabase) -> Iterator[tuple[str, str]]:
    """URLs of one database: of its owner, and of a role that owns nothing."""
    owner = fresh_database()
    name = f"service_{conninfo_to_dict(owner)['dbname']}"
    alter(owner, f"CREATE ROLE {name} LOGIN")
    yield owner, owner.replace("tukupay@", f"{name}@", 1)
    alter(owner, f"DROP OWNED BY {name}")
    alter(owner, f"DROP ROLE {name}")


async def test_a_role_without_any_right_is_guarded_by_the_migration_of_another_one(
    service_role: tuple[str, str],
) -> None:
    owner, service = service_role
    await asyncio.to_thread(migrate_messaging, service, owner)
    assert await shown(service, MESSAGING, *MESSAGING) == list(MESSAGING.values())
    # That of the owner is left as it was: people, reports and backups may use it.
    assert await shown(owner, {}, "statement_timeout", "enable_seqscan") == ["0", "on"]


async def test_guards_from_elsewhere_count_as_well(service_role: tuple[str, str]) -> None:
    owner, service = service_role
    database = sql.Identifier(str(conninfo_to_dict(owner)["dbname"])).as_string()
    for name, value in MESSAGING.items():
        alter(owner, f"ALTER DATABASE {database} SET {name} = '{value}'")
    set_guards(service, MESSAGING)
    assert await shown(service, MESSAGING, *MESSAGING) == list(MESSAGING.values())
    with psycopg.connect(owner) as connection:
        found = connection.execute(
            "SELECT FROM pg_db_role_setting WHERE setrole <> 0 AND setdatabase = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall()
    assert found == []


def test_who_may_not_change_the_role_is_told_what_to_let_run(service_role: tuple[str, str]) -> None:
    owner, service = service_role
    role = conninfo_to_dict(service)["user"]
    # Such a role acts as another one from its first moment, and may not even change itself.
    alter(owner, f"GRANT pg_monitor TO {role}")
    alter(owner, f"ALTER ROLE {role} SET role = 'pg_monitor'")
    with pytest.raises(GuardsNotSetError) as caught:
        set_guards(service, MESSAGING)
    statement = (
        f"""ALTER ROLE "{role}" IN DATABASE "{conninfo_to_dict(owner)["dbname"]}" SET "statement_timeout" = '30s';"""
    )
    assert statement in str(caught.value)


SLOW_MIGRATION = """
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.execute("SELECT pg_sleep(0.5)")
"""


def test_migrations_are_not_bound_by_the_time_outs_of_the_service(
    fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    url = fresh_database()
    set_guards(url, {"statement_timeout": "100ms", "idle_in_transaction_session_timeout": "100ms"})
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "0001_slow.py").write_text(SLOW_MIGRATION)
    upgrade(url, tmp_path, MetaData())
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
