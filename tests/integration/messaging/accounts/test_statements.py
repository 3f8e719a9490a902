"""Statements that agree with themselves: bounds of periods, and reads while an account goes on booking."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from messaging_service.sending.outbox import Claim
from tests.contract.sms_examples import acceptance, accepted, settlement
from tests.integration.messaging.accounts.billing_calls import KES, POSTPAID, Billing, instant
from tests.integration.messaging.conftest import record
from tests.integration.messaging.running_service import Running, refusal_of
from tests.system.messaging_database import STAYS_OPEN, rows, until_found
from tests.system.messaging_replica import Replica
from tukupay.sms.messaging.v1 import accounts_pb2 as pb

pytestmark = pytest.mark.timeout(60)

YEARS = {
    "period_start": instant(datetime(2000, 1, 1, tzinfo=UTC)),
    "period_end": instant(datetime(2100, 1, 1, tzinfo=UTC)),
}


@pytest.fixture
def billing(service: Running) -> Billing:
    return Billing(service)


class Statements:
    """What AccountService says of periods."""

    def __init__(self, billing: Billing) -> None:
        self.stub = billing.stub

    async def totals(self, **fields: Any) -> pb.GetStatementResponse:
        return await self.stub.GetStatement(pb.GetStatementRequest(**{"user_id": "user123"} | YEARS | fields))

    async def page(self, **fields: Any) -> pb.ListLedgerEntriesResponse:
        request: dict[str, Any] = {"user_id": "user123"} | YEARS | fields
        return await self.stub.ListLedgerEntries(pb.ListLedgerEntriesRequest(**request))

    async def entries(self, **fields: Any) -> list[pb.LedgerEntry]:
        """All pages."""
        found: list[pb.LedgerEntry] = []
        token = ""
        while True:
            page = await self.page(page_token=token, **fields)
            found += page.entries
            if not (token := page.next_page_token):
                return found


@pytest.fixture
def statements(billing: Billing) -> Statements:
    return Statements(billing)


def agrees(statement: pb.GetStatementResponse, entries: list[pb.LedgerEntry]) -> bool:
    counted = sum(total.entries for total in statement.totals)
    booked = sum(entry.amount_micros for entry in entries)
    return (counted, statement.opening_micros + booked) == (len(entries), statement.closing_micros)


async def test_an_entry_at_an_end_of_a_period_is_in_just_one_of_two_adjoining_periods(
    billing: Billing, statements: Statements, database_url: str
) -> None:
    await billing.open()
    start, end = datetime(2026, 9, 30, 21, tzinfo=UTC), datetime(2026, 10, 31, 21, tzinfo=UTC)
    # Not in the order of time: the number of an entry does not keep it out of a period.
    for reference, kes, at in (
        ("next", 1_000, end),
        ("last", 100, end - timedelta(microseconds=1)),
        ("first", 10, start),
        ("before", 1, start - timedelta(microseconds=1)),
    ):
        booked = await billing.top_up(kes * KES, reference)
        await rows(database_url, "UPDATE ledger_entry SET created_at = %s WHERE id = %s", (at, booked.entry.entry_id))
    october = {"period_start": instant(start), "period_end": instant(end)}
    november = {"period_start": instant(end), "period_end": instant(end + timedelta(days=30))}
    first, second = await statements.totals(**october), await statements.totals(**november)
    assert (first.opening_micros, first.closing_micros) == (KES, 111 * KES)
    assert (second.opening_micros, second.closing_micros) == (111 * KES, 1_111 * KES)
    assert [entry.reference for entry in await statements.entries(page_size=1, **october)] == ["first", "last"]
    assert [entry.reference for entry in await statements.entries(**november)] == ["next"]
    assert [total.entries for total in (*first.totals, *second.totals)] == [2, 1]


async def test_what_is_booked_between_two_reads_is_in_neither_or_in_both(
    billing: Billing, statements: Statements
) -> None:
    await billing.open()
    empty = await statements.totals()
    assert (empty.through_entry_id, empty.HasField("through_entry_id")) == (0, True)
    for place in range(3):
        await billing.top_up(KES, f"QK{place}")
    # The statement first, as the page after it stops where it did.
    statement = await statements.totals()
    await billing.top_up(7 * KES, "between")
    assert await statements.entries(through_entry_id=empty.through_entry_id) == []
    listed = await statements.entries(page_size=2, through_entry_id=statement.through_entry_id)
    assert agrees(statement, listed)
    assert len(listed) == 3
    # A page first: the pages and the statement after it stop where the first page did.
    first = await statements.page(page_size=2)
    await billing.top_up(7 * KES, "after the first page")
    second = await statements.page(page_size=2, page_token=first.next_page_token)
    assert (second.next_page_token, second.through_entry_id) == ("", first.through_entry_id)
    bounded = await statements.totals(through_entry_id=first.through_entry_id)
    assert agrees(bounded, [*first.entries, *second.entries])
    assert (await statements.totals()).closing_micros == bounded.closing_micros + 7 * KES
    other = statements.page(page_size=2, page_token=first.next_page_token, through_entry_id=1)
    assert [violation.reason for violation in (await refusal_of(other)).violations] == ["INVALID_PAGE_TOKEN"]
    for call in (statements.page(through_entry_id=-1), statements.totals(through_entry_id=-1)):
        assert [violation.field for violation in (await refusal_of(call)).violations] == ["through_entry_id"]


async def test_statements_agree_with_their_entries_while_an_account_sends(
    service: Running, billing: Billing, statements: Statements
) -> None:
    await billing.open(mode=POSTPAID)
    reads, sends, done = 0, 0, False

    async def caller() -> None:
        nonlocal sends
        while not done:
            await service.send()
            sends += 1

    callers = [asyncio.ensure_future(caller()) for _ in range(4)]
    while reads < 40 or sends < 40:
        statement = await statements.totals()
        listed = await statements.entries(page_size=50, through_entry_id=statement.through_entry_id)
        assert agrees(statement, listed)
        page = await statements.page(page_size=20)
        bounded = await statements.totals(through_entry_id=page.through_entry_id)
        rest = await statements.entries(page_size=20, through_entry_id=page.through_entry_id)
        assert agrees(bounded, rest)
        assert rest[:20] == list(page.entries)
        reads += 1
    done = True
    await asyncio.gather(*callers)
    assert len(await statements.entries()) == sends


async def test_the_entries_of_an_account_are_numbered_in_the_order_of_their_commits(
    outbox: Replica, database_url: str
) -> None:
    message = await record(outbox, acceptance(claimed=True))
    book = "INSERT INTO ledger_entry (account_id, kind, amount, reference) VALUES (%s, 'top_up', 1, 'QK1') RETURNING id"
    waiting = """SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    async with await psycopg.AsyncConnection.connect(database_url, options=STAYS_OPEN) as payer:
        await payer.execute("SELECT 1 FROM account WHERE id = %s FOR NO KEY UPDATE", (message.account_id,))
        charging = asyncio.ensure_future(outbox.settle([settlement(Claim(message, 1, 0, 0.0), accepted())]))
        async with asyncio.timeout(20):
            await until_found(database_url, waiting)
        row = await (await payer.execute(book, (message.account_id,))).fetchone()
        await payer.execute("UPDATE account SET posted = posted + 1 WHERE id = %s", (message.account_id,))
    await charging
    assert row is not None
    found = await rows(database_url, "SELECT kind, id > %s FROM ledger_entry ORDER BY id", (row[0],))
    assert found == [("top_up", False), ("charge", True)]
