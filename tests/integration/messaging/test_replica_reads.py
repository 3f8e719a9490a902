"""Lists, statements and reports are read from a real standby while it is near enough, and fail for nothing of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from psycopg.conninfo import conninfo_to_dict

from messaging_service.accounts.domain.ledger import EntryKind, NewEntry
from messaging_service.accounts.postgres.postgres_ledger_store import PostgresLedgerStore
from messaging_service.reports.domain.cost_report import CostSums, Grouping
from messaging_service.reports.postgres.cost_records import PostgresCostRecords
from messaging_service.sending.outbox import ListFilter
from messaging_service.sending.postgres.postgres_outbox import PostgresOutbox
from messaging_service.shared.postgres.lagging_reads import LaggingReads
from messaging_service.shared.postgres.report_turns import ReportTurns
from service_kit.audit.actor import Actor
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.postgres.database import Pool, create_pool
from service_kit.postgres.standby import Standby, StandbyProgress
from tests.contract.sms_examples import ACCOUNT, accepted
from tests.integration.messaging.conftest import WINDOWS, sent
from tests.integration.messaging.metered_service import metered_on
from tests.system.messaging_replica import Replica
from tests.system.standby import StandbyServer, caught_up, standby_of
from tests.system.waiting import eventually
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

BOUND_S = 10.0
ACTOR = Actor("tests", "open")


@pytest.fixture(scope="module")
def standby(postgres_server: EmbeddedPostgres) -> Iterator[StandbyServer]:
    with standby_of(postgres_server) as server:
        yield server


class Counts:
    """Reads by the server that answered."""

    def __init__(self) -> None:
        self.standby = self.primary = 0

    def read_standby(self) -> None:
        self.standby += 1

    def read_primary(self) -> None:
        self.primary += 1


class Clock:
    """The monotonic clock of a process."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Reading:
    """What reads from a standby, on the database of a test."""

    url: str
    server: StandbyServer
    clock: Clock
    counts: Counts
    look_at: Standby
    outbox: PostgresOutbox
    books: PostgresLedgerStore
    costs: PostgresCostRecords
    primary: Pool

    async def look(self, *, caught_up_first: bool = True) -> None:
        """A second later, both servers are looked at."""
        if caught_up_first:
            await caught_up(self.server, self.url)
        self.clock.now += 1.0
        await self.look_at.look(self.primary, self.clock)

    async def listed(self, after: tuple[datetime, UUID] | None = None) -> int:
        return len(await self.outbox.list(ListFilter(ACCOUNT), 100, after))


@pytest.fixture
async def reading(database_url: str, standby: StandbyServer, outbox: Replica) -> AsyncIterator[Reading]:
    """On a database with two messages that were charged."""
    for _ in range(2):
        await sent(outbox, accepted())
    clock, counts = Clock(), Counts()
    progress = StandbyProgress(BOUND_S, clock)
    async with AsyncExitStack() as closing:
        primary = await closing.enter_async_context(create_pool(database_url, "primary", max_size=4))
        pool = create_pool(
            standby.url(str(conninfo_to_dict(database_url)["dbname"])), "replica", min_size=0, max_size=4, timeout_s=1.0
        )
        await closing.enter_async_context(pool)
        on_standby = Standby(pool, progress)
        reads = LaggingReads(primary, on_standby, counts)
        made = Reading(
            database_url,
            standby,
            clock,
            counts,
            on_standby,
            PostgresOutbox(primary, "here", WINDOWS, reads=reads),
            PostgresLedgerStore(primary, reads=reads),
            PostgresCostRecords(ReportTurns(primary, reads=reads)),
            primary,
        )
        yield made


async def everything(reading: Reading) -> list[Any]:
    """One read of each kind."""
    start, end = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)
    groups = [page async for page in reading.costs.groups(start, end, [Grouping.ACCOUNT], None)]
    exported = [row.id async for page in reading.costs.messages(start, end, None) for row in page]
    statement = await reading.books.statement(ACCOUNT, start, end)
    page = await reading.books.entries(ACCOUNT, start, end, 10, None, through=statement.through)
    assert isinstance(groups[-1], CostSums)
    return [await reading.listed(), groups, exported, statement, page]


async def test_reads_come_from_the_standby_and_are_those_of_the_primary(reading: Reading) -> None:
    unknown = await everything(reading)
    asked = reading.counts.primary
    assert (asked >= 5, reading.counts.standby) == (True, 0), "nothing is known of the standby yet"
    await reading.look()
    assert await everything(reading) == unknown
    assert (reading.counts.standby, reading.counts.primary) == (asked, asked)


async def test_a_standby_beyond_the_bound_is_left_until_it_has_caught_up(reading: Reading, outbox: Replica) -> None:
    await reading.look()
    reading.server.run("SELECT pg_wal_replay_pause()")
    try:
        await sent(outbox, accepted())
        await reading.look(caught_up_first=False)
        assert await reading.listed() == 2, "within the bound: without the newest"
        for _ in range(10):
            await reading.look(caught_up_first=False)
        assert await reading.listed() == 3
    finally:
        reading.server.run("SELECT pg_wal_replay_resume()")
    assert (reading.counts.standby, reading.counts.primary) == (1, 1)
    await reading.look()
    assert await reading.listed() == 3
    assert reading.counts.standby == 2


async def test_a_standby_that_is_away_fails_no_read(reading: Reading) -> None:
    await reading.look()
    expected = await everything(reading)
    reading.server.stop()
    try:
        # Its connections are still in the pool, and nobody has looked since.
        assert await everything(reading) == expected
        await reading.look(caught_up_first=False)
        assert await everything(reading) == expected
    finally:
        reading.server.start()

    async def is_used() -> bool:
        await reading.look()
        return reading.look_at.progress.staleness_s is not None

    await eventually("the standby is used again", is_used)
    asked = reading.counts.primary
    assert await everything(reading) == expected
    assert reading.counts.primary == asked


async def test_a_page_goes_to_the_primary_when_the_standby_might_lack_what_comes_next(
    reading: Reading, outbox: Replica
) -> None:
    newest = (await outbox.list(ListFilter(ACCOUNT), 1, None))[0]
    await reading.look()
    assert await reading.listed((newest.created_at, newest.id)) == 1
    assert (reading.counts.standby, reading.counts.primary) == (0, 1)
    old = datetime.now(UTC) - timedelta(seconds=BOUND_S + 1)
    assert await reading.listed((old, newest.id)) == 0
    assert reading.counts.standby == 1


async def test_pages_of_a_statement_agree_with_its_sums_whoever_answered(reading: Reading) -> None:
    start, end = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)
    await reading.look()
    reading.server.run("SELECT pg_wal_replay_pause()")
    try:
        booked = await reading.books.book(
            NewEntry(ACCOUNT, EntryKind.TOP_UP, Decimal(5), "payment-1", None, "tests"), ACTOR
        )
        page = await reading.books.entries(ACCOUNT, start, end, 10, None, through=booked.entry.id)
        assert page.entries[-1] == booked.entry
        assert reading.counts.standby == 0
    finally:
        reading.server.run("SELECT pg_wal_replay_resume()")


async def test_a_service_with_a_replica_lists_from_it_and_counts_that(
    database_url: str, standby: StandbyServer
) -> None:
    url = standby.url(str(conninfo_to_dict(database_url)["dbname"]))
    async with metered_on(database_url, replica_url=url) as metered:
        await metered.until(lambda figures: figures("tukupay_replica_staleness_seconds") < BOUND_S)
        await metered.service.sms.ListOutboxEntries(pb.ListOutboxEntriesRequest(user_id=ACCOUNT))
        figures = await metered.figures()
    assert figures("tukupay_replica_reads_total", server="replica") == 1
    assert figures("tukupay_replica_reads_total", server="primary") == 0
