"""PgBouncer in transaction mode before the database, and poolers that cannot be used.

Runs where a pgbouncer is found (tests/system/pgbouncer.py); what needs a new one is skipped for an old one.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from structlog.testing import capture_logs

from messaging_service.shared.postgres.session_guards import GUARDS as MESSAGING
from messaging_service.wiring.migrate import migrate as migrate_messaging
from pricing_service.adapters.migrate import migrate as migrate_pricing
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.postgres.database import Connection, Pool, create_pool, quick_transaction, single_statement
from service_kit.postgres.guards import UnguardedError, set_guards
from service_kit.postgres.migrations import PooledError
from service_kit.postgres.pipeline import Statement, Step
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.integration.messaging.running_service import service_on
from tests.integration.messaging.test_messaging_outages import until_serving
from tests.integration.pricing.conftest import pricing_on
from tests.system.forked_commands import forked_commands
from tests.system.messaging_database import until_found
from tests.system.pgbouncer import OLDEST, SETTING, PgBouncer, pgbouncer, program, version
from tests.system.waiting import eventually
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

PROGRAM = program() or ""
IS_OLD = bool(PROGRAM) and version(PROGRAM) < OLDEST

pytestmark = [
    pytest.mark.skipif(not PROGRAM, reason=f"no pgbouncer was found; {SETTING}=/path/to/pgbouncer names one"),
    pytest.mark.timeout(180),
]
needs_new = pytest.mark.skipif(IS_OLD, reason="this pgbouncer knows no prepared statements, and is refused")

MODES: Final[Mapping[str, Mapping[str, Any]]] = {
    "session mode": {"pool_mode": "session"},
    "transaction mode without prepared statements": {} if IS_OLD else {"max_prepared_statements": 0},
}


@pytest.fixture
def migrated(
    database_template: DatabaseTemplate, fresh_database: FreshDatabase
) -> Callable[[str, Callable[[str], None]], str]:
    """Makes the database of a service."""
    return lambda service, migrate: fresh_database(template=database_template(f"{service}_template", migrate))


@pytest.fixture
def messaging_url(migrated: Callable[[str, Callable[[str], None]], str]) -> str:
    return migrated("messaging", migrate_messaging)


@needs_new
async def test_messages_are_sent_through_a_pooler_with_all_guards(
    postgres_server: EmbeddedPostgres, messaging_url: str
) -> None:
    with pgbouncer(postgres_server, PROGRAM) as pooler, capture_logs() as logs:
        url = pooler.url(messaging_url)
        async with create_pool(url, "looking", guards=MESSAGING, timeout_s=20) as pool:
            for name, value in MESSAGING.items():
                async with single_statement(pool) as connection:
                    assert await (await connection.execute(f"SHOW {name}".encode())).fetchone() == (value,)
        async with service_on(url) as service:
            await until_serving(service)
            answers = await asyncio.gather(*(service.send(message_id=f"m{number}") for number in range(50)))
            assert {answer.entry.status for answer in answers} == {pb.SMS_STATUS_SENT}
            assert len(service.carrier.submissions) == 50
    # LISTEN needs the server itself, and was not told where that is.
    assert "wake_ups.behind_pooler" in {entry["event"] for entry in logs}


@needs_new
async def test_signals_between_processes_take_the_direct_url(
    postgres_server: EmbeddedPostgres, messaging_url: str
) -> None:
    listening = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
    with pgbouncer(postgres_server, PROGRAM) as pooler, capture_logs() as logs:
        async with service_on(pooler.url(messaging_url), database_direct_url=messaging_url) as service:
            await until_serving(service)
            async with asyncio.timeout(20):
                await until_found(messaging_url, listening)
    assert "wake_ups.behind_pooler" not in {entry["event"] for entry in logs}


@needs_new
async def test_clients_that_share_two_sessions_get_the_rows_of_their_own_statements(
    postgres_server: EmbeddedPostgres, fresh_database: FreshDatabase
) -> None:
    url = fresh_database()

    async def ask(client: int) -> None:
        # Each meets its statements in another order, and prepares some by psycopg, which names them alike for all.
        made = create_pool(pooler.url(url), f"client {client}", max_size=1, timeout_s=60)
        pool = await stack.enter_async_context(made)
        for turn in range(60):
            number = (turn * (client + 1)) % 17
            statement = Statement(f"SELECT %(value)s::int + {number}, pg_sleep(0.001)")
            async with quick_transaction(pool) as transaction:
                (((first, _),),) = await transaction.run(statement(value=client))
                (((second, _),),) = await transaction.run_last(statement(value=100))
            async with single_statement(pool) as connection:
                query = f"SELECT %s::int * {number + 1}".encode()
                ((third,),) = await (await connection.execute(query, (client,))).fetchall()
            assert (first, second, third) == (client + number, 100 + number, client * (number + 1))

    with pgbouncer(postgres_server, PROGRAM, pool_size=2, max_prepared_statements=10) as pooler:
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as clients:
            for client in range(12):
                clients.create_task(ask(client))


@needs_new
async def test_statements_whose_preparation_failed_are_prepared_again_on_the_same_connection(
    postgres_server: EmbeddedPostgres, fresh_database: FreshDatabase
) -> None:
    url = fresh_database()
    later, fails = Statement("SELECT count(*) FROM later"), Statement("SELECT 1 / %(by)s::int")

    async def ask(pool: Pool, *steps: Step) -> None:
        async with quick_transaction(pool) as transaction:
            await transaction.run(*steps)

    with pgbouncer(postgres_server, PROGRAM, pool_size=1) as pooler:
        async with AsyncExitStack() as stack:
            pools = [create_pool(pooler.url(url), name, max_size=1, timeout_s=20) for name in ("one", "two")]
            for pool in pools:
                await stack.enter_async_context(pool)
            for pool in [*pools, *pools]:
                for _ in range(3):
                    with pytest.raises(psycopg.errors.UndefinedTable):
                        await ask(pool, later())
                with pytest.raises(psycopg.errors.DivisionByZero):
                    await ask(pool, fails(by=0), later())
            async with await Connection.connect(url, autocommit=True) as direct:
                await direct.execute("CREATE TABLE later (id int)")
            for pool in [*pools, *pools]:
                async with quick_transaction(pool) as transaction:
                    assert await transaction.run(fails(by=1), later()) == [[(1,)], [(0,)]]


@needs_new
async def test_sessions_that_the_pooler_has_from_before_the_guards_are_ended(
    postgres_server: EmbeddedPostgres, fresh_database: FreshDatabase
) -> None:
    url = fresh_database()
    with pgbouncer(postgres_server, PROGRAM) as pooler:
        async with create_pool(pooler.url(url), "waiting", guards=MESSAGING, timeout_s=10) as pool:
            with pytest.raises(UnguardedError):
                await pool.getconn()
            async with AsyncExitStack() as stack:
                # Eight sessions of the pooler that have begun without guards.
                for _ in range(8):
                    other = await stack.enter_async_context(await Connection.connect(pooler.url(url)))
                    await other.execute("SELECT 1")
            set_guards(pooler.url(url), MESSAGING)
            async with asyncio.timeout(60):
                while pool.unguarded is not None:
                    try:
                        async with pool.connection() as connection:
                            await pool.check_guards(connection)
                    except UnguardedError:
                        continue


@needs_new
@pytest.mark.parametrize("migrate", [migrate_messaging, migrate_pricing])
def test_a_migration_needs_the_server_itself(
    postgres_server: EmbeddedPostgres, fresh_database: FreshDatabase, migrate: Callable[..., None]
) -> None:
    url = fresh_database()
    with pgbouncer(postgres_server, PROGRAM) as pooler:
        with pytest.raises(PooledError, match="a connection pooler stands before the database"):
            migrate(pooler.url(url))
        migrate(pooler.url(url), url)
        migrate(pooler.url(url), url)


async def _refused(pooler: PgBouncer, service: str, url: str) -> list[str]:
    """Why a service does not serve through a pooler."""
    with capture_logs() as logs:

        async def problems() -> list[str]:
            return [entry["problem"] for entry in logs if entry["event"] == "service.not_serving"]

        if service == "messaging":
            async with service_on(pooler.url(url)) as messaging:
                await until_serving(messaging, serving=False)
                await eventually("the log says why", problems)
        else:
            async with pricing_on(pooler.url(url)) as pricing:
                await pricing.until_not_serving()
                await eventually("the log says why", problems)
        assert "service.serving" not in {entry["event"] for entry in logs}
        return await problems()


@needs_new
def test_at_the_terminal_a_migration_through_a_pooler_is_told_what_to_set(
    postgres_server: EmbeddedPostgres, fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    url = fresh_database()

    def migrate(**settings: str) -> subprocess.CompletedProcess[str]:
        environment = {"TUKUPAY_HOME": str(tmp_path), "PATH": os.environ["PATH"], "COLUMNS": "200", **settings}
        return forked_commands().run(("migrate", "pricing"), environment)

    with pgbouncer(postgres_server, PROGRAM) as pooler:
        pooled = {"PRICING_DATABASE_URL": pooler.url(url)}
        refused = migrate(**pooled)
        assert refused.returncode == 1
        assert "was not begun: a connection pooler stands before the database" in refused.stderr
        assert "set PRICING_DATABASE_DIRECT_URL" in refused.stderr
        assert migrate(**pooled, PRICING_DATABASE_DIRECT_URL=url).returncode == 0


@pytest.mark.parametrize("mode", list(MODES))
@pytest.mark.parametrize(("service", "migrate"), [("messaging", migrate_messaging), ("pricing", migrate_pricing)])
async def test_a_pooler_that_does_not_keep_prepared_statements_apart_is_refused_in_words(
    postgres_server: EmbeddedPostgres,
    migrated: Callable[[str, Callable[[str], None]], str],
    mode: str,
    service: str,
    migrate: Callable[[str], None],
) -> None:
    with pgbouncer(postgres_server, PROGRAM, **MODES[mode]) as pooler:
        problems = await _refused(pooler, service, migrated(service, migrate))
    assert problems
    words = "does not keep the prepared statements of its clients apart: use PgBouncer 1.21 or newer"
    assert [problem for problem in problems if words not in problem] == []
