"""Rows are chained once their transactions are over, and whatever is changed afterwards is found, row by row."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from messaging_service.wiring.chained_messaging_tables import CHAINED_TABLES, EVENTS, LEDGER
from messaging_service.wiring.migrate import migrate
from pricing_service.adapters.chained_pricing_tables import CHAINED_TABLES as PRICING_TABLES
from pricing_service.adapters.chained_pricing_tables import COSTS
from pricing_service.adapters.migrate import migrate as migrate_pricing
from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditFilter, AuditRecord
from service_kit.audit.chained_table import AUDIT, ChainedTable
from service_kit.errors import ServiceError
from service_kit.postgres.audit_log import PostgresAuditLog
from service_kit.postgres.chain_verification import Anchor, ChainVerdict, heads, verify_chain
from service_kit.postgres.database import Pool, create_pool
from service_kit.postgres.hash_chain import HashChains
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.doubles.duty_log import StrictDuties

ENTRY = "INSERT INTO audit_entry (action, subject, principal, principal_kind) VALUES ('a.b', %s, 'p', 'open')"


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def url(fresh_database: FreshDatabase, database_template: DatabaseTemplate) -> str:
    return fresh_database(template=database_template("chained_template", migrate))


@pytest.fixture
async def pool(url: str) -> AsyncIterator[Pool]:
    async with create_pool(url, "chains", max_size=3) as pool:
        yield pool


def chains_on(pool: Pool, clock: Clock | None = None, most_rows: int = 3) -> HashChains:
    return HashChains(pool, CHAINED_TABLES, StrictDuties(), clock=clock or Clock(), most_rows=most_rows)


async def chain(chains: HashChains) -> None:
    """Passes until all that is over is chained: one that reads the numbers, one that waits for transactions."""
    for _ in range(3):
        while await chains.chain_once() == 0:
            pass


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    options = "-c idle_in_transaction_session_timeout=0"
    with psycopg.connect(url, autocommit=True, options=options) as connection:
        yield connection


def add(connection: psycopg.Connection, *subjects: str) -> None:
    for subject in subjects:
        connection.execute(ENTRY, (subject,))


def verdict(connection: psycopg.Connection, table: ChainedTable = AUDIT, *anchors: Anchor) -> ChainVerdict:
    return verify_chain(connection, table, anchors)


async def test_rows_are_chained_in_batches_and_verify(url: str, pool: Pool) -> None:
    with connected(url) as connection:
        add(connection, *"abcdefg")
        assert verdict(connection) == ChainVerdict("audit", 0, 0, 7, None)
        await chain(chains_on(pool))
        assert verdict(connection) == ChainVerdict("audit", 7, 3, 0, None)
        add(connection, "h")
        assert verdict(connection).unchained == 1
        await chain(chains_on(pool))
        assert verdict(connection) == ChainVerdict("audit", 8, 4, 0, None)


async def test_a_row_is_chained_only_when_every_earlier_transaction_is_over(url: str, pool: Pool) -> None:
    chains = chains_on(pool)
    with connected(url) as slow, connected(url) as quick:
        with slow.transaction():
            add(slow, "first number, last commit")
            add(quick, "second")
            await chain(chains)
            assert verdict(quick).rows == 0
        await chain(chains)
        assert verdict(quick) == ChainVerdict("audit", 2, 1, 0, None)


async def test_numbers_that_were_rolled_back_are_no_gap(url: str, pool: Pool) -> None:
    chains = chains_on(pool)
    with connected(url) as connection:
        add(connection, "a")
        with connection.transaction(force_rollback=True):
            add(connection, *"bcdefghi")
        add(connection, "j")
        await chain(chains)
        assert verdict(connection) == ChainVerdict("audit", 2, 2, 0, None)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE audit_entry SET principal = 'somebody else' WHERE id = 4", "row 4 of audit_entry was changed"),
        ("UPDATE audit_entry SET after = '{}' WHERE id = 7", "row 7 of audit_entry was changed"),
        ("DELETE FROM audit_entry WHERE id = 1", "row 1 of audit_entry is missing"),
        ("DELETE FROM audit_entry WHERE id = 7", "row 7 of audit_entry is missing"),
        ("DELETE FROM audit_entry WHERE id BETWEEN 4 AND 6", "row 4 of audit_entry is missing"),
        (
            "INSERT INTO audit_entry (id, action, subject, principal, principal_kind) OVERRIDING SYSTEM VALUE "
            "VALUES (-1, 'a', 'b', 'c', 'd'), (0, 'a', 'b', 'c', 'd')",
            "row -1 of audit_entry was added after its batch was chained",
        ),
        ("DELETE FROM hash_chain WHERE number = 2", "batch 2 of hash_chain is missing"),
        ("UPDATE hash_chain SET hash = sha256('x') WHERE number = 2", "batch 2 of hash_chain was changed, or"),
        ("UPDATE hash_chain SET last_id = 5 WHERE number = 2", "row 6 of audit_entry is missing"),
        ("UPDATE hash_chain SET marks = '' WHERE number = 1", None),
        ("UPDATE hash_chain SET format = 2 WHERE number = 3", "batch 3 of hash_chain has the format 2"),
    ],
)
async def test_the_first_broken_row_is_named(url: str, pool: Pool, change: str, fault: str | None) -> None:
    with connected(url) as connection:
        add(connection, *"abcdefg")
        await chain(chains_on(pool))
        connection.execute(change.encode())
        found = verdict(connection).fault
        assert (found or "").startswith(fault or ""), found
        assert (found is None) == (fault is None)


async def test_a_chain_that_was_written_anew_does_not_have_its_anchors(url: str, pool: Pool) -> None:
    with connected(url) as connection:
        add(connection, *"abcdefg")
        await chain(chains_on(pool))
        (head,) = heads(connection, [AUDIT])
        anchor = Anchor("audit", head.number, head.hash)
        assert verdict(connection, AUDIT, anchor).fault is None
        connection.execute("UPDATE audit_entry SET principal = 'nobody' WHERE id = 2")
        connection.execute("DELETE FROM hash_chain")
        await chain(chains_on(pool))
        assert verdict(connection).fault is None
        assert verdict(connection, AUDIT, anchor).fault == (
            "batch 3 of hash_chain has another hash than its anchor: the chain was written anew"
        )
        connection.execute("DELETE FROM hash_chain WHERE number = 3")
        connection.execute("DELETE FROM audit_entry WHERE id = 7")
        assert verdict(connection, AUDIT, anchor).fault == (
            "the chain ends at batch 2, and batch 3 was kept as an anchor"
        )


async def test_replicas_chain_one_after_another(url: str, pool: Pool) -> None:
    one, other = chains_on(pool), chains_on(pool)
    with connected(url) as connection:
        for number in range(20):
            add(connection, f"{number}", f"{number} too")
            await chain(one if number % 3 else other)
        await chain(one)
        found = verdict(connection)
        assert (found.rows, found.unchained, found.fault) == (40, 0, None)


async def test_the_lag_rises_while_a_transaction_holds_the_chain_up(url: str, pool: Pool) -> None:
    clock = Clock()
    chains = chains_on(pool, clock)
    with connected(url) as slow:
        await chain(chains)
        clock.now = 10
        await chain(chains)
        assert chains.lags_s() == {"audit": 0, "ledger": 0, "events": 0}
        with slow.transaction():
            add(slow, "open")
            for clock.now in (11, 25, 40):
                await chain(chains)
            assert chains.lags_s()["audit"] >= 29
        await chain(chains)
        assert chains.lags_s() == {"audit": 0, "ledger": 0, "events": 0}


async def test_ledger_and_events_are_chained_without_what_may_be_erased(url: str, pool: Pool) -> None:
    with connected(url) as connection:
        connection.execute("INSERT INTO account (id) VALUES ('user123')")
        connection.execute(
            "INSERT INTO ledger_entry (account_id, kind, amount, reference) "
            "SELECT 'user123', 'top_up', 1.5, 'QGH \"' || g || '\\\\ ü €' FROM generate_series(1, 5) g"
        )
        connection.execute(
            "INSERT INTO message_event (message_id, attempt, to_state, actor, raw) "
            "SELECT overlay(gen_random_uuid()::text PLACING '0100' FROM 1 FOR 4)::uuid, "
            "1, 'accepted', 'here', 'id:1 +254712345678' FROM generate_series(1, 5)"
        )
        await chain(chains_on(pool))
        connection.execute("UPDATE message_event SET raw = NULL")
        assert verdict(connection, LEDGER) == ChainVerdict("ledger", 5, 2, 0, None)
        assert verdict(connection, EVENTS) == ChainVerdict("events", 5, 2, 0, None)
        connection.execute("UPDATE ledger_entry SET amount = 2 WHERE id = 5")
        connection.execute("UPDATE message_event SET at = at + interval '1 microsecond' WHERE id = 3")
        assert verdict(connection, LEDGER).fault == "row 5 of ledger_entry was changed"
        assert verdict(connection, EVENTS).fault == "row 3 of message_event was changed"


async def test_prices_are_chained_without_their_withdrawals(
    fresh_database: FreshDatabase, database_template: DatabaseTemplate
) -> None:
    url = fresh_database(template=database_template("pricing_template", migrate_pricing))
    async with create_pool(url, "chains", max_size=2) as pool:
        with connected(url) as connection:
            connection.execute(
                "INSERT INTO cost (cost_id, level, entity, effective_from, revision, price, created_by, recorded_at, "
                "epoch) SELECT 'cost_' || g, 'TukuPay', '', now() + interval '1 day', g, 1, 'me', now(), g "
                "FROM generate_series(1, 3) g"
            )
            connection.execute("UPDATE price_epoch SET epoch = 3")
            await chain(HashChains(pool, PRICING_TABLES, StrictDuties(), clock=Clock()))
            connection.execute(
                "UPDATE cost SET withdrawn_at = now(), withdrawn_by = 'me', withdrawn_reason = 'why', "
                "withdrawn_epoch = 4 WHERE epoch = 2"
            )
            assert verdict(connection, COSTS) == ChainVerdict("costs", 3, 1, 0, None)
            connection.execute("UPDATE cost SET price = 2 WHERE epoch = 2")
            assert verdict(connection, COSTS).fault == "row 2 of cost was changed"


async def test_a_database_that_is_not_migrated_is_waited_for(fresh_database: FreshDatabase) -> None:
    async with create_pool(fresh_database(), "chains", max_size=1) as pool:
        with pytest.raises(ServiceError) as caught:
            await chains_on(pool).chain_once()
    assert caught.value.reason == "DATABASE_NOT_READY"


async def test_whatever_a_caller_is_named_the_entry_is_written(url: str, pool: Pool) -> None:
    log = PostgresAuditLog(pool)
    actor = Actor("sub\0ject" * 1_000, "oidc")
    await log.add([(actor, AuditRecord("access.refused", "A/B", after={"scope": "a\0b"}))])
    (entry,) = await log.entries(AuditFilter(), 10, None)
    assert entry.actor.principal == ("sub\N{REPLACEMENT CHARACTER}ject" * 1_000)[:256]
    assert entry.record.after == {"scope": "a\N{REPLACEMENT CHARACTER}b"}
