"""What months cost: sends, claims, receipts and lists beside the same rows with and without partitions.

Two databases of one server hold the same messages of a year, one with a partition for each month. Each step is done in
turns on both, and its processor time is compared. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

import psycopg
import uvloop
from rich.console import Console

from benchmarks.outbox_costs import ACCOUNTS, CARRIER, Meter, R, receipt, requests
from messaging_service.carriers.domain.submission import Outcome, OutcomeKind
from messaging_service.receipts.postgres.postgres_receipt_inbox import PostgresReceiptInbox
from messaging_service.sending.outbox import Acceptance, Accepted, ListFilter, Settlement
from messaging_service.sending.postgres.postgres_outbox import PostgresOutbox, Windows
from messaging_service.shared.domain.outbox_ids import new_outbox_id
from messaging_service.shared.postgres.session_guards import GUARDS
from messaging_service.wiring.migrate import migrate
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.postgres.database import Pool, create_pool
from service_kit.postgres.partitions import smallest_of

MONTHS: Final = 12
BATCH: Final = 24
STEPS: Final = ("record", "settle", "receipts", "claim", "list", "list on")
KINDS: Final = ("whole", "months")

console = Console(width=max(120, Console().width))

# Months from a year ago on, in place of the first partition of a new database, which has all that is past.
_YEAR: Final = """
    DO $$
    DECLARE part regclass;
    BEGIN
        FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = '{table}'::regclass LOOP
            EXECUTE format('DROP TABLE %s', part);
        END LOOP;
        CREATE TABLE {table}_past (LIKE {table} INCLUDING ALL EXCLUDING IDENTITY) {storage};
        ALTER TABLE {table} ATTACH PARTITION {table}_past FOR VALUES FROM (MINVALUE) TO ('{first}');
        WHILE add_month_partition('{table}', 3) IS NOT NULL LOOP END LOOP;
    END
    $$
"""
_WHOLE: Final = """
    CREATE TABLE whole (LIKE {table} INCLUDING ALL EXCLUDING IDENTITY) {storage};
    DROP TABLE {table};
    ALTER TABLE whole RENAME TO {table};
"""
_OF_WHOLE: Final = """
    ALTER TABLE message_event ALTER id ADD GENERATED ALWAYS AS IDENTITY;
    ALTER TABLE message ADD FOREIGN KEY (account_id) REFERENCES account;
"""
_STORAGE: Final = {
    "message": "WITH (fillfactor = 60)",
    "message_event": "",
    "message_part": "WITH (fillfactor = 85)",
}
_FILL: Final = """
    WITH numbered AS (
        SELECT n, %(begin)s + n * (%(end)s - %(begin)s) / %(rows)s AS at FROM generate_series(0, %(rows)s::bigint - 1) n
    ), made AS (
        SELECT n, at, (lpad(to_hex((extract(epoch FROM at) * 1000)::int8), 12, '0') || '7'
            || lpad(to_hex(n %% 4096), 3, '0') || '8000' || lpad(to_hex(n), 12, '0'))::uuid AS id FROM numbered
    ), messages AS (
        INSERT INTO message (id, account_id, client_message_id, recipient, text, sender_id, priority, encoding, units,
            price_cost_id, price_level, unit_price, total, state, billing, carrier, created_at, sent_at, tags)
        SELECT id, 'account' || lpad((n * 7919 %% {accounts})::text, 4, '0'), 'old-' || n, '+254712345678',
            'Your code is 123456. Do not share it with anybody.', 'TukuPay', 'high', 'gsm7', 1, 'cost_1',
            'direct_customer', 0.6, 0.6, 'delivered', 'charged', 'smpp', at, at, '{{otp}}' FROM made
    ), events AS (
        INSERT INTO message_event (message_id, attempt, to_state, at, actor)
        SELECT id, 1, state, at, 'benchmark' FROM made, unnest(ARRAY['submitting', 'accepted', 'delivered']) state
    )
    INSERT INTO message_part (message_id, attempt, part, carrier, carrier_message_id, canonical_id, state)
    SELECT id, 1, 1, 'smpp', id::text, replace(id::text, '-', ''), 'delivered' FROM made
"""


def _prepare(url: str, kind: str, rows: int) -> None:
    """A database with messages of the last year, from each of the accounts."""
    migrate(url)
    now = datetime.now(UTC)
    first = now.replace(year=now.year - 1, day=1, hour=0, minute=0, second=0, microsecond=0)
    with psycopg.connect(url, autocommit=True) as connection:
        for table, storage in _STORAGE.items():
            statement = _YEAR if kind == "months" else _WHOLE
            connection.execute(statement.format(table=table, storage=storage, first=smallest_of(first)).encode())
        if kind == "whole":
            connection.execute(_OF_WHOLE)
        accounts = "INSERT INTO account (id) SELECT 'account' || lpad(n::text, 4, '0') FROM generate_series(0, %s) n"
        connection.execute(accounts.encode(), (ACCOUNTS - 1,))
        # Nothing is kept of it, and the keys of rows that are made here hold.
        for setting in ("session_replication_role = replica", "synchronous_commit = off"):
            connection.execute(f"SET {setting}".encode())
        fill = _FILL.format(accounts=ACCOUNTS).encode()
        span = (now - first) / MONTHS
        for month in range(MONTHS):
            period = {"begin": first + span * month, "end": first + span * (month + 1), "rows": rows // MONTHS}
            connection.execute(fill, period)
        # As autovacuum does, which leaves alone what has no rows yet.
        filled = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND pg_relation_size(oid) > 0"
        for (table,) in connection.execute(f"{filled} AND relnamespace = 'public'::regnamespace").fetchall():
            connection.execute(f"VACUUM ANALYZE {table}".encode())
        connection.execute("CHECKPOINT")


class Side:
    """One of the two databases."""

    def __init__(self, pool: Pool, meter: Meter, made: Iterator[Acceptance]) -> None:
        windows = Windows(lease_s=30, margin_s=5, unknown_s=86_400, queue_s=3_600)
        self._outbox = PostgresOutbox(pool, "benchmark", windows)
        self._inbox = PostgresReceiptInbox(pool, "benchmark")
        self._meter = meter
        self._requests = made

    async def _step(self, name: str, work: Awaitable[R]) -> R:
        return await self._meter.step(BATCH, name, work)

    async def turn(self) -> None:
        """Does each step once. Raises RuntimeError when one has not done what it should."""
        batch = list(itertools.islice(self._requests, BATCH))
        answers = await self._step("record", self._outbox.accept(batch))
        messages = [answer.message for answer in answers if isinstance(answer, Accepted)]
        outcomes = [Outcome(OutcomeKind.ACCEPTED, CARRIER, (message.id.hex,)) for message in messages]
        settlements = [
            Settlement(message, 1, outcome, 0.0) for message, outcome in zip(messages, outcomes, strict=True)
        ]
        await self._step("settle", self._outbox.settle(settlements))
        await self._inbox.store([receipt(message.id.hex, message.recipient) for message in messages])
        worked = await self._step("receipts", self._inbox.work(BATCH))
        await self._outbox.accept([replace(item, claimed=False) for item in itertools.islice(self._requests, BATCH)])
        claims = await self._step("claim", self._outbox.claim(BATCH))
        if (len(messages), worked.matched, len(claims)) != (BATCH, BATCH, BATCH):
            raise RuntimeError("a request was refused, a receipt found no message, or a claim no row")
        outcome = Outcome(OutcomeKind.ACCEPTED, CARRIER, ("1",))
        await self._outbox.settle([Settlement(claim.message, claim.epoch, outcome, 0.0) for claim in claims])
        wanted = ListFilter(messages[0].account_id)
        page = await self._step("list", self._outbox.list(wanted, 50, None))
        last = page[-1]
        await self._step("list on", self._outbox.list(wanted, 50, (last.created_at, last.id)))


async def _backend(pool: Pool) -> int:
    """Connects; the server's process behind the one connection."""
    await pool.open(wait=True)
    async with pool.connection() as connection:
        return connection.info.backend_pid


def _table(meters: dict[str, Meter], rows: int) -> str:
    lines = [
        f"| {rows:,} messages, µs for a message or {BATCH}th of a page | whole | months | rate with months |",
        "| --- | ---: | ---: | ---: |",
    ]
    for step in STEPS:
        cost: dict[str, tuple[float, float]] = {}
        for kind in KINDS:
            kept = meters[kind].costs[BATCH, step]
            kept = kept[len(kept) // 5 :]
            cost[kind] = (median(each.client for each in kept), median(each.server for each in kept))
        whole, months = (sum(cost[kind]) for kind in KINDS)
        cells = " | ".join(f"{client:,.0f} + {server:,.0f}" for client, server in (cost[kind] for kind in KINDS))
        lines.append(f"| {step} | {cells} | {whole / months:.1%} |")
    return "\n".join(lines)


async def _main(options: argparse.Namespace) -> int:
    home = Path(tempfile.mkdtemp(prefix="tukupay-bench-", dir=options.folder))
    try:
        async with EmbeddedPostgres(home / "postgres") as server:
            for kind in KINDS:
                await server.create_database(kind)
                began = time.monotonic()
                await asyncio.to_thread(_prepare, server.url(kind), kind, options.messages)
                console.print(f"{kind}: {options.messages:,} messages in {time.monotonic() - began:,.0f} s")
            pools = {kind: create_pool(server.url(kind), kind, min_size=1, max_size=1, guards=GUARDS) for kind in KINDS}
            meters = {kind: Meter(server, [await _backend(pool)]) for kind, pool in pools.items()}
            sides = {
                kind: Side(pools[kind], meters[kind], requests(new_outbox_id, prefix=f"{kind}-")) for kind in KINDS
            }
            for number in range(options.turns):
                # Neither goes first always.
                for kind in KINDS if number % 2 else reversed(KINDS):
                    await sides[kind].turn()
            for pool in pools.values():
                await pool.close()
        console.print(_table(meters, options.messages), highlight=False, markup=False)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000_000, help="on record in each database")
    parser.add_argument("--turns", type=int, default=200, help="of each step on each database")
    parser.add_argument("--folder", help="where the databases are made; 1.6 kB a message and database")
    return parser


if __name__ == "__main__":
    sys.exit(uvloop.run(_main(_parser().parse_args())))
