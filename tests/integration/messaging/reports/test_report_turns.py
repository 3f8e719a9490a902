"""Reports that would keep others from theirs: many at once, and callers who do not read."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messaging_service.accounts.postgres.postgres_ledger_store import PostgresLedgerStore
from messaging_service.reports.domain.cost_report import CostGroup, CostSums, Grouping
from messaging_service.reports.domain.invoices import InvoiceLine, InvoiceScope
from messaging_service.reports.postgres.cost_records import PostgresCostRecords
from messaging_service.reports.postgres.invoice_records import PostgresInvoiceRecords
from messaging_service.shared.postgres.report_turns import ReportBounds, ReportTurns
from service_kit.errors import Kind, ServiceError
from service_kit.postgres.database import Pool, create_pool, transaction
from tests.contract.sms_examples import accepted
from tests.integration.messaging.conftest import sent
from tests.integration.messaging.reports.test_reports import ACCOUNT, period
from tests.integration.messaging.running_service import Running
from tests.system import standby
from tests.system.messaging_database import rows
from tests.system.messaging_replica import Replica
from tests.system.waiting import eventually
from tukupay.sms.messaging.v1 import accounts_pb2, accounts_pb2_grpc, reports_pb2, reports_pb2_grpc

LONG = 60.0
"""Longer than any test here takes."""
MESSAGES = 7
LOCKED = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'messaging-reports' AND wait_event_type = 'Lock'
"""


@pytest.fixture
async def pool(database_url: str, outbox: Replica) -> AsyncIterator[Pool]:
    """Connections to a database with some messages, each of another account."""
    for place in range(MESSAGES):
        await sent(outbox, accepted(), user_id=f"user{place}")
    async with create_pool(database_url, "reports", max_size=2) as pool:
        yield pool


def room(pool: Pool, **bounds: Any) -> ReportTurns:
    return ReportTurns(
        pool, ReportBounds(**{"connections": 2, "long": 1, "wait_s": LONG, "page_wait_s": LONG} | bounds)
    )


def groups(room: ReportTurns) -> AsyncGenerator[Sequence[CostGroup] | CostSums, None]:
    now, days = datetime.now(UTC), timedelta(days=1)
    return PostgresCostRecords(room, page=1).groups(now - days, now + days, [Grouping.ACCOUNT], None)


async def accounts_of(pages: AsyncIterator[Sequence[CostGroup] | CostSums]) -> list[str | None]:
    return [group.keys[0] async for page in pages if not isinstance(page, CostSums) for group in page]


EVERYBODY = [f"user{place}" for place in range(MESSAGES)]


async def test_a_reader_who_lets_a_report_lie_keeps_nobody_from_theirs(pool: Pool) -> None:
    shared = room(pool, patience_s=0.3, page_patience_s=0.0)
    async with aclosing(groups(shared)) as lying:
        await anext(lying)
        # The only turn comes back without the first reader having asked, left or read on.
        assert await accounts_of(groups(shared)) == EVERYBODY
        with pytest.raises(ServiceError) as caught:
            await accounts_of(lying)
    assert (caught.value.kind, caught.value.reason) == (Kind.OVERLOADED, "CALLER_TOO_SLOW")


async def test_a_reader_who_is_slow_now_and_then_has_the_whole_report(pool: Pool) -> None:
    async with aclosing(groups(room(pool, patience_s=LONG))) as pages:
        found = []
        async for page in pages:
            if not isinstance(page, CostSums):
                found += [group.keys[0] for group in page]
            for _ in range(100):
                await asyncio.sleep(0)
    assert found == EVERYBODY


async def test_a_reader_whose_every_pause_is_short_has_no_new_patience_with_each_page(pool: Pool) -> None:
    shared = room(pool, patience_s=0.5, page_patience_s=0.01)
    found: list[object] = []

    async def read_with_pauses() -> None:
        async with aclosing(groups(shared)) as pages:
            async for page in pages:
                found.append(page)
                # The caller itself is what is slow here; three such pauses are more than its patience.
                await asyncio.sleep(0.2)

    with pytest.raises(ServiceError, match="CALLER_TOO_SLOW"):
        await read_with_pauses()
    assert len(found) < MESSAGES
    assert await accounts_of(groups(shared)) == EVERYBODY


async def test_who_gets_no_turn_is_told_when_to_come_back(pool: Pool) -> None:
    shared = room(pool, wait_s=0.05, patience_s=LONG)
    async with aclosing(groups(shared)) as reading:
        await anext(reading)
        with pytest.raises(ServiceError) as caught:
            await accounts_of(groups(shared))
        error = caught.value
        assert (error.kind, error.reason, error.retry_after) == (
            Kind.OVERLOADED,
            "REPORTS_BUSY",
            timedelta(seconds=15),
        )
        with pytest.raises(ServiceError, match="REPORTS_BUSY"):
            await PostgresLedgerStore(pool, shared).verify(None, 10)
    assert await accounts_of(groups(shared)) == EVERYBODY


async def test_exports_go_on_while_every_long_turn_is_taken(pool: Pool) -> None:
    shared = room(pool, wait_s=0.05, patience_s=LONG)
    async with aclosing(groups(shared)) as reading:
        await anext(reading)
        now, days = datetime.now(UTC), timedelta(days=1)
        exported = PostgresCostRecords(shared, page=2).messages(now - days, now + days, None)
        assert [message.account_id async for page in exported for message in page] == EVERYBODY


async def test_an_invoice_whose_sender_pauses_gives_its_connection_back(pool: Pool) -> None:
    shared = room(pool, patience_s=0.2)
    given_up = asyncio.Event()

    async def lines() -> AsyncIterator[Sequence[InvoiceLine]]:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()
        yield []

    now, days = datetime.now(UTC), timedelta(days=1)
    comparing = PostgresInvoiceRecords(shared).compare(InvoiceScope("smpp", now - days, now + days), lines())
    with pytest.raises(ServiceError, match="CALLER_TOO_SLOW"):
        await anext(comparing)
    assert given_up.is_set()
    assert await accounts_of(groups(shared)) == EVERYBODY


@pytest.mark.skipif(bool(os.environ.get(standby.SETTING)), reason="reports would wait on the standby")
async def test_payments_and_balances_wait_for_no_report(service: Running, database_url: str) -> None:
    billing = accounts_pb2_grpc.AccountServiceStub(service.channel)
    reports = reports_pb2_grpc.ReportServiceStub(service.channel)
    await billing.OpenAccount(accounts_pb2.OpenAccountRequest(user_id="shop", mode=accounts_pb2.ACCOUNT_MODE_PREPAID))
    question = reports_pb2.ReportCostsRequest(**period(), group_by=[ACCOUNT])
    async with AsyncExitStack() as stack:
        beside = await stack.enter_async_context(create_pool(database_url, "beside"))
        connection = await stack.enter_async_context(transaction(beside))
        # No report can read a message now, and each holds its connection until it can.
        await connection.execute("LOCK TABLE message IN ACCESS EXCLUSIVE MODE")
        calls = [reports.ReportCosts(question) for _ in range(ReportBounds().long + 2)]
        waiting = [asyncio.ensure_future(anext(aiter(call))) for call in calls]

        async def is_full() -> bool:
            return bool((await rows(database_url, LOCKED))[0][0] >= ReportBounds().long)

        await eventually("each report waits for the table", is_full, LONG)
        paid = accounts_pb2.TopUpRequest(user_id="shop", amount_micros=5, reference="QK1", booked_by="till")
        assert (await billing.TopUp(paid)).account.available_micros == 5
        asked = accounts_pb2.GetAccountRequest(user_id="shop")
        assert (await billing.GetAccount(asked)).account.available_micros == 5
        for call in calls:
            call.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
