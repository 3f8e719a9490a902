"""A service runs as a role that can neither change its tables nor what is evidence in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege

from messaging_service.wiring.migrate import APPEND_ONLY as MESSAGING
from messaging_service.wiring.migrate import grant as grant_messaging
from messaging_service.wiring.migrate import migrate as migrate_messaging
from pricing_service.adapters.migrate import APPEND_ONLY as PRICING
from pricing_service.adapters.migrate import grant as grant_pricing
from pricing_service.adapters.migrate import migrate as migrate_pricing
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.postgres.grants import AppendOnly, RoleUnfitError
from tests.conftest import FreshDatabase
from tests.contract.sms_examples import accepted
from tests.integration.messaging.access.keys_at_work import terms
from tests.integration.messaging.running_service import service_on
from tests.integration.pricing.conftest import TUKUPAY, pricing_on
from tests.system.waiting import eventually
from tukupay.sms.messaging.v1 import access_pb2, access_pb2_grpc, accounts_pb2

Migrate = Callable[[str, str | None], None]
Grant = Callable[[str, str | None, str], None]
Runtime = Callable[[Migrate, Grant], tuple[str, str]]

_NUMBERS = count(1)


@pytest.fixture
def runtime(postgres_server: EmbeddedPostgres, fresh_database: FreshDatabase) -> Iterator[Runtime]:
    """Migrates a database as its owner, and gives its URL for the owner and for the role of the service."""
    role = f"runtime_{next(_NUMBERS)}"
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    made: list[str] = []

    def make(migrate: Migrate, grant: Grant) -> tuple[str, str]:
        owner = fresh_database()
        made.append(owner)
        own = make_conninfo(owner, user=role)
        migrate(own, owner)
        for _ in range(2):
            grant(own, owner, role)
        return owner, own

    yield make
    for url in made:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def is_refused(url: str, statement: str) -> bool:
    with psycopg.connect(url, autocommit=True) as connection:
        try:
            connection.execute(statement.encode())
        except InsufficientPrivilege:
            return True
    return False


def columns_of(url: str, table: str) -> list[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT column_name::text FROM information_schema.columns WHERE table_name = %s", (table,)
        ).fetchall()
    return [row[0] for row in found]


@pytest.mark.parametrize(
    ("migrate", "grant", "append_only"),
    [(migrate_messaging, grant_messaging, MESSAGING), (migrate_pricing, grant_pricing, PRICING)],
    ids=["messaging", "pricing"],
)
def test_evidence_can_be_added_to_and_neither_changed_nor_removed(
    runtime: Runtime, migrate: Migrate, grant: Grant, append_only: AppendOnly
) -> None:
    owner, url = runtime(migrate, grant)
    for table, changeable in append_only.items():
        for statement in (f"DELETE FROM {table}", f"TRUNCATE {table}", f"DROP TABLE {table}"):
            assert is_refused(url, statement), statement
        names = columns_of(owner, table)
        changed = {name for name in names if not is_refused(url, f"UPDATE {table} SET {name} = DEFAULT")}
        assert changed == set(changeable), table
        assert not is_refused(url, f"SELECT * FROM {table}")
    for statement in (
        "CREATE TABLE more (id int)",
        "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
        "UPDATE alembic_version SET version_num = '0'",
        "ALTER TABLE audit_entry OWNER TO CURRENT_USER",
    ):
        assert is_refused(url, statement), statement


@pytest.mark.timeout(60)
async def test_messaging_runs_as_that_role(runtime: Runtime) -> None:
    owner, url = runtime(migrate_messaging, grant_messaging)
    async with service_on(url) as service:
        service.carrier.answer = lambda _: accepted("ref-1")
        await service.accounts.OpenAccount(
            accounts_pb2.OpenAccountRequest(user_id="user123", mode=accounts_pb2.ACCOUNT_MODE_POSTPAID)
        )
        entry = (await service.send()).entry
        keys = access_pb2_grpc.AccessServiceStub(service.channel)
        key = (await keys.CreateKey(access_pb2.CreateKeyRequest(terms=terms()))).key
        await keys.RotateKey(access_pb2.RotateKeyRequest(key_id=key.key_id))
        await keys.RevokeKey(access_pb2.RevokeKeyRequest(key_id=key.key_id))
        await service.accounts.RefundSms(
            accounts_pb2.RefundSmsRequest(outbox_id=entry.outbox_id, reason="never came", booked_by="amina")
        )

        async def chained() -> bool:
            with psycopg.connect(owner) as connection:
                found = connection.execute("SELECT DISTINCT chain FROM hash_chain").fetchall()
            return len(found) == 3

        await eventually("rows of all three kinds are chained", chained)


@pytest.mark.timeout(60)
async def test_pricing_runs_as_that_role(runtime: Runtime) -> None:
    _, url = runtime(migrate_pricing, grant_pricing)
    async with pricing_on(url) as pricing:
        await pricing.until_serving()
        assert (await pricing.set(TUKUPAY, 1_000_000)).price_micros == 1_000_000


def test_a_role_that_owns_the_tables_or_is_not_there_is_refused(fresh_database: FreshDatabase) -> None:
    url = fresh_database()
    migrate_pricing(url)
    with pytest.raises(RoleUnfitError, match="superuser or owns the tables"):
        grant_pricing(url, None, "tukupay")
    with pytest.raises(RoleUnfitError, match="there is no role nobody"):
        grant_pricing(url, None, "nobody")
