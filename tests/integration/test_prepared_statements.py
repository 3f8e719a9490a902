"""Every SQL statement of both services fits the migrated schema: a wrong name of a column fails here in a second.

Statements that can be named are prepared, which PostgreSQL refuses for whatever does not exist. Those that are built
when they are asked for are run, with every condition that they may have.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import combinations, product
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.errors import Error

from messaging_service.access.domain.key_record import KeyStatus
from messaging_service.access.key_store import KeyFilter
from messaging_service.access.postgres.postgres_keys import PostgresKeys
from messaging_service.accounts.domain.account import AccountMode
from messaging_service.accounts.domain.account_limits import AccountLimits
from messaging_service.accounts.postgres.postgres_account_store import PostgresAccountStore
from messaging_service.accounts.postgres.postgres_ledger_store import PostgresLedgerStore
from messaging_service.events.domain.event_cursor import EventFilter, Moment, Position
from messaging_service.events.postgres.event_rows import PostgresEventLog
from messaging_service.notices.domain.endpoints import DeliveryState, EndpointKind, EventType
from messaging_service.notices.endpoint_families import WEBHOOKS
from messaging_service.notices.endpoint_store import DeliveryFilter, NewEndpoint
from messaging_service.notices.postgres.postgres_alert_store import PostgresAlertStore
from messaging_service.notices.postgres.postgres_endpoint_store import PostgresEndpointStore
from messaging_service.opt_outs.domain.suppression import Source
from messaging_service.opt_outs.postgres.postgres_suppressions import PostgresSuppressions
from messaging_service.opt_outs.suppression_store import SuppressionFilter
from messaging_service.reports.domain.cost_report import Basis, Grouping
from messaging_service.reports.domain.invoices import InvoiceLine, InvoiceScope
from messaging_service.reports.postgres.cost_records import PostgresCostRecords
from messaging_service.reports.postgres.invoice_records import PostgresInvoiceRecords
from messaging_service.reports.postgres.traffic_rows import PostgresTraffic
from messaging_service.sending.outbox import ListFilter
from messaging_service.sending.postgres.postgres_outbox import PostgresOutbox
from messaging_service.sending.postgres.queue_view import PostgresQueueView
from messaging_service.shared.domain.states import State, Status
from messaging_service.shared.postgres.report_turns import ReportTurns
from messaging_service.wiring.migrate import migrate as migrate_messaging
from pricing_service.adapters.migrate import migrate as migrate_pricing
from service_kit.audit.actor import PLATFORM
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.postgres.database import Pool, create_pool
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.integration.messaging.conftest import WINDOWS
from tests.system.messaging_database import empty_database
from tests.system.sql_in_source import Place, Sql, modules_below, sql_of

MESSAGING = modules_below("messaging_service/*/postgres")
PRICING = modules_below("pricing_service/adapters")
COMPARES = "messaging_service.reports.postgres.invoice_records"
"""Its statements are about temporary tables of their transaction, so all of them are run."""
NOW: Final = datetime(2026, 12, 1, tzinfo=UTC)
EARLIER: Final = NOW - timedelta(days=1)
AFTER: Final = (NOW, UUID(int=7))

EVERYTHING: Final = sql_of([*MESSAGING, *PRICING])

_PREPARED = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
_PARAMETER = re.compile(r"%(?:\((?P<name>\w+)\))?s|%%")


def sql_of_messaging() -> Sql:
    found = sql_of(MESSAGING)
    found.built |= {place for place in found.named.values() if place.module == COMPARES}
    found.named = {text: place for text, place in found.named.items() if place.module != COMPARES}
    return found


def numbered(text: str) -> str:
    """A statement as PostgreSQL takes it, with its parameters numbered."""
    numbers: dict[str, int] = {}

    def number(place: re.Match[str]) -> str:
        if place[0] == "%%":
            return "%"
        return f"${numbers.setdefault(place['name'] or str(place.start()), len(numbers) + 1)}"

    return _PARAMETER.sub(number, text)


def refused(url: str, named: dict[str, Place]) -> list[str]:
    """What the database does not take: where it stands, and why."""
    problems = []
    with psycopg.connect(url) as connection:
        for number, (text, place) in enumerate(named.items()):
            statement = numbered(text)
            try:
                if _PREPARED.match(text):
                    statement = f"PREPARE s{number} AS {statement}"
                connection.execute(statement.encode())
            except Error as error:
                problems.append(f"{place.module} {place.function}: {error}")
            connection.rollback()
    return problems


@pytest.mark.parametrize("module", [*MESSAGING, *PRICING])
def test_no_statement_of_a_module_is_missed(module: str) -> None:
    """Whatever a module keeps that reads as a statement is sent by it or another one, or is part of what is sent."""
    own = sql_of([module])
    everywhere = "\n".join(EVERYTHING.named)
    kept = {name: text for name, text in vars(importlib.import_module(module)).items() if isinstance(text, str)}
    missed = [name for name, text in kept.items() if _PREPARED.match(text) and text not in everywhere]
    assert missed == [] or own.built
    if re.search(r"\.execute\(", inspect.getsource(sys.modules[module])):
        assert own.named or own.built


def test_every_statement_of_messaging_fits_its_database(
    postgres_server: EmbeddedPostgres, database_template: DatabaseTemplate
) -> None:
    named = sql_of_messaging().named
    assert len(named) > 120
    assert refused(empty_database(postgres_server, database_template), named) == []


def test_every_statement_of_pricing_fits_its_database(
    fresh_database: FreshDatabase, database_template: DatabaseTemplate
) -> None:
    sql = sql_of(PRICING)
    assert sql.built == set()
    assert len(sql.named) > 20
    assert refused(fresh_database(template=database_template("pricing_template", migrate_pricing)), sql.named) == []


async def test_every_statement_that_is_built_runs_on_the_database(
    postgres_server: EmbeddedPostgres, database_template: DatabaseTemplate
) -> None:
    url = empty_database(postgres_server, database_template)
    async with create_pool(url, "statements", max_size=4) as pool:
        with senders() as seen:
            await run_all(pool)
    assert sql_of_messaging().built - seen == set(), "run these above, with every condition that they may have"


async def test_a_wrong_name_is_found(fresh_database: FreshDatabase, database_template: DatabaseTemplate) -> None:
    url = fresh_database(template=database_template("messaging_template", migrate_messaging))
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE message RENAME COLUMN carrier_error_code TO their_code")
    problems = refused(url, sql_of_messaging().named)
    assert len(problems) > 5
    assert all("carrier_error_code" in problem for problem in problems)


@contextmanager
def senders() -> Iterator[set[Place]]:
    """The functions of the services that send statements meanwhile, with those that called them."""
    seen: set[Place] = set()
    with pytest.MonkeyPatch.context() as patch:
        for cursor in (psycopg.AsyncCursor, psycopg.AsyncServerCursor):
            patch.setattr(cursor, "execute", _noting(cursor.execute, seen))
        yield seen


def _noting(execute: Any, seen: set[Place]) -> Any:
    async def noted(*arguments: Any, **options: Any) -> Any:
        frame = inspect.currentframe()
        while frame is not None:
            module = frame.f_globals.get("__name__", "")
            if module.startswith(("messaging_service.", "pricing_service.")):
                seen.add(Place(module, frame.f_code.co_qualname))
            frame = frame.f_back
        return await execute(*arguments, **options)

    return noted


def each_of(**choices: Any) -> Iterator[dict[str, Any]]:
    """Some choices, all subsets of them."""
    for size in range(len(choices) + 1):
        for names in combinations(choices, size):
            yield {name: choices[name] for name in names}


async def run_all(pool: Pool) -> None:
    """Calls whatever builds statements, on a database without rows."""
    turns = ReportTurns(pool)
    await run_outbox(pool)
    await run_notices(pool)
    for chosen in each_of(phone="+254712345678", sender_id="TUKUPAY", account_id="a", source=Source.OPERATOR):
        for with_ended, after in product((False, True), (None, AFTER)):
            wanted = SuppressionFilter(**chosen, with_ended=with_ended)
            assert await PostgresSuppressions(pool, "here").list(wanted, 1, after) == []
    for chosen in (*each_of(account_id="a", status=KeyStatus.ACTIVE), *({"status": each} for each in KeyStatus)):
        for position in (None, (NOW, "tk_live_00000000")):
            assert await PostgresKeys(pool).list(KeyFilter(**chosen), NOW, 1, position) == []
    await PostgresLedgerStore(pool, turns).verify("a", 10)
    await run_reports(turns)


async def run_outbox(pool: Pool) -> None:
    outbox = PostgresOutbox(pool, "here", WINDOWS)
    for chosen in each_of(
        status=Status.FAILED, tag="otp", created_from=EARLIER, created_before=NOW, recipient="+254712345678"
    ):
        for after in (None, AFTER):
            assert await outbox.list(ListFilter("a", **chosen), 1, after) == []
    await PostgresQueueView(pool).look()
    log = PostgresEventLog(pool)
    for position in (Position(Moment(3)), Position(Moment(3, (2,)), Moment(5, (4,)), after=1)):
        await log.follow(position, ["a"], 10)
        for chosen in each_of(states=frozenset({State.READY}), tag="otp", message_id=UUID(int=7)):
            await log.catch_up(position, EventFilter("a", **chosen), 10)


async def run_notices(pool: Pool) -> None:
    alerts = PostgresAlertStore(pool, uuid4, 1.0, give_up_after=timedelta(days=1))
    for only_open, after in product((False, True), (None, AFTER)):
        assert await alerts.alerts("a", 1, after, only_open=only_open) == []
    assert await alerts.acknowledge(UUID(int=7), None, "ops", PLATFORM) is None

    endpoints = PostgresEndpointStore(pool, uuid4, WEBHOOKS, most=1, give_up_after=timedelta(days=1))
    new = NewEndpoint(UUID(int=7), "a", EndpointKind.WEBHOOK, "https://a.example", tuple(EventType), "", "secret")
    await PostgresAccountStore(pool).open("a", AccountMode.POSTPAID, Decimal(0), AccountLimits(), actor=PLATFORM)
    await endpoints.create(new, actor=PLATFORM)
    for chosen in each_of(state=DeliveryState.PENDING, event_type=next(iter(EventType))):
        for after in (None, AFTER):
            assert await endpoints.deliveries(new.id, None, DeliveryFilter(**chosen), 1, after) == []


async def run_reports(turns: ReportTurns) -> None:
    costs, traffic, invoices = PostgresCostRecords(turns), PostgresTraffic(turns), PostgresInvoiceRecords(turns)
    for account_id in (None, "a"):
        _ = [page async for page in costs.messages(EARLIER, NOW, account_id)]
        _ = [page async for page in traffic.entries(EARLIER, NOW, account_id)]
    assert not await invoices.has_taken("smpp")
    _ = [page async for page in invoices.compare(InvoiceScope("smpp", EARLIER, NOW), invoice())]
    for basis, account_id, size in product(Basis, (None, "a"), (1, 2, len(Grouping))):
        for by in combinations(Grouping, size):
            _ = [page async for page in costs.groups(EARLIER, NOW, by, account_id, basis=basis)]


async def invoice() -> AsyncIterator[Sequence[InvoiceLine]]:
    """One line of each kind."""
    yield [InvoiceLine(1, "7", None, None, 1, Decimal(1), failed=False)]
    yield [InvoiceLine(2, None, date(2026, 11, 30), 1, 1, Decimal(1), failed=False)]
