"""Measures how long it takes to chain a million rows of evidence, and to verify them.

    .venv/bin/python benchmarks/verify_chains.py [rows]

Processor time is that of this process and of the one of PostgreSQL that answers it; the wall clock depends on what else
the machine does.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from prometheus_client import CollectorRegistry

from messaging_service.wiring.chained_messaging_tables import CHAINED_TABLES
from messaging_service.wiring.migrate import migrate
from service_kit.duties.duty_failures import DutyFailures
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.postgres.chain_verification import verify_chain
from service_kit.postgres.database import create_pool
from service_kit.postgres.hash_chain import HashChains

EVENTS = """
    INSERT INTO message_event (message_id, attempt, from_state, to_state, actor, carrier, code)
    SELECT uuidv7(), 1, 'submitting', 'accepted', 'host-1/4711/18abcdef0123', 'safaricom', 'ESME_ROK'
    FROM generate_series(1, %s)
"""
ENTRIES = """
    INSERT INTO ledger_entry (account_id, kind, amount, message_id, attempt)
    SELECT 'user123', 'charge', -0.8, uuidv7(), 1 FROM generate_series(1, %s)
"""
CHANGES = """
    INSERT INTO audit_entry (action, subject, account, principal, principal_kind, origin, before, after)
    SELECT 'account.updated', 'user123', 'user123', 'tk_live_4fQ2bT9x', 'api_key', '10.0.0.1',
        '{"status": "active"}', '{"status": "suspended"}'
    FROM generate_series(1, %s)
"""
SHARES = ((EVENTS, 0.6), (ENTRIES, 0.38), (CHANGES, 0.02))


async def chain(url: str) -> None:
    """Chains all rows."""
    async with create_pool(url, "chains", max_size=1) as pool:
        chains = HashChains(pool, CHAINED_TABLES, DutyFailures(CollectorRegistry(), ()), clock=time.monotonic)
        for _ in range(3):
            while await chains.chain_once() == 0:
                pass


def processor_s(pid: int) -> float:
    """The processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Fills a database, chains it and verifies it twice."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder) / "data", fsync=False) as server,
    ):
        server.ensure_database("chained")
        url = server.url("chained")
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET statement_timeout = 0")
            connection.execute("INSERT INTO account (id) VALUES ('user123')")
            for statement, share in SHARES:
                connection.execute(statement.encode(), (round(rows * share),))
            begun = time.monotonic()
            asyncio.run(chain(url))
            print(f"chained in {time.monotonic() - begun:.1f} s")
            pids = os.getpid(), connection.info.backend_pid
            for _ in range(2):
                begun, before = time.monotonic(), [processor_s(pid) for pid in pids]
                verdicts = [verify_chain(connection, table) for table in CHAINED_TABLES]
                ours, theirs = (processor_s(pid) - used for pid, used in zip(pids, before, strict=True))
                found = sum(verdict.rows for verdict in verdicts)
                assert all(verdict.fault is None for verdict in verdicts), verdicts
                took = time.monotonic() - begun
                print(
                    f"{found:,} rows verified in {took:.1f} s; processor: {ours:.1f} s here, {theirs:.1f} s PostgreSQL"
                )


if __name__ == "__main__":
    main()
