"""A database of the release before with a million messages is migrated while that release serves.

TUKUPAY_PREVIOUS_RELEASE names a checkout of it (`git worktree add`), TUKUPAY_UPGRADE_MESSAGES how many there are.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from psycopg.conninfo import make_conninfo

from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from tests.faults.callers import Callers, check_every_promise
from tests.operations.previous_release import PREVIOUS, of_release, run_services_of
from tests.system.databases import Database
from tests.system.running import System
from tests.system.waiting import until

MESSAGES: Final = int(os.environ.get("TUKUPAY_UPGRADE_MESSAGES", "1000000"))
SERVICES: Final = ("pricing", "messaging")
SENDS_A_SECOND: Final = 50
CALLERS: Final = 12
SEEDS: Final = 200
"""Messages that are sent; the others are copies of them, half an hour apart."""
AT_ONCE: Final = 500
BEFORE_S: Final = float(os.environ.get("TUKUPAY_UPGRADE_BEFORE_S", "30"))
LOOK_EVERY_S: Final = 0.05
LONGEST_LOCK_S: Final = 1.0
FOLDER: Final = os.environ.get(PREVIOUS)

pytestmark = pytest.mark.skipif(not FOLDER, reason=f"{PREVIOUS} names no checkout of the release before")

_COPIES: Final = """
    CREATE UNLOGGED TABLE copies AS
    SELECT m.id AS old_id, at, (
        lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(m.id::text || n), 1, 3)
            || '8' || substr(md5(n || m.id::text), 1, 15)
    )::uuid AS new_id
    FROM message m, generate_series(%(first)s::int, %(last)s::int) n,
        LATERAL (SELECT m.created_at - n * interval '30 min' AS at) t
"""
_CHANGED: Final = {
    "message": {"id": "c.new_id", "client_message_id": "c.new_id::text", "created_at": "c.at"},
    "message_event": {"message_id": "c.new_id", "at": "c.at"},
    "message_part": {
        "message_id": "c.new_id",
        "carrier_message_id": "c.new_id::text",
        "canonical_id": "c.new_id::text",
    },
    "idempotency": {"message_id": "c.new_id", "key": "c.new_id::text"},
    "ledger_entry": {"message_id": "c.new_id", "created_at": "c.at"},
}
_COLUMNS: Final = """
    SELECT column_name FROM information_schema.columns
    WHERE table_name = %s AND is_identity = 'NO' AND column_name <> 'xact' ORDER BY ordinal_position
"""
_WAITING: Final = """
    SELECT a.application_name, extract(epoch FROM clock_timestamp() - l.waitstart)::float8, l.locktype,
        left(regexp_replace(a.query, '\\s+', ' ', 'g'), 100),
        (SELECT min(left(regexp_replace(b.query, '\\s+', ' ', 'g'), 100)) FROM pg_stat_activity b
         WHERE b.pid = ANY(pg_blocking_pids(a.pid)) AND b.application_name = 'migration')
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE NOT l.granted AND l.waitstart IS NOT NULL AND a.pid <> pg_backend_pid()
"""


@dataclass
class LockWatch:
    """Who waits for a lock, looked at twenty times a second."""

    url: str
    looks: int = 0
    behind_migration: dict[str, float] = field(default_factory=dict)
    """Longest wait of a service's statement for the migration, by both statements."""
    longest_s: float = 0.0
    """Of the services, for whatever lock: mostly for one another's rows."""
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Looks until it is over."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            while not self._over.wait(LOOK_EVERY_S):
                self.looks += 1
                for application, waited_s, kind, waiting, migration in connection.execute(_WAITING.encode()):
                    if application == "migration" or waited_s is None:
                        continue
                    self.longest_s = max(self.longest_s, waited_s)
                    if migration is not None:
                        words = f"{kind}: {waiting} <- {migration}"
                        self.behind_migration[words] = max(self.behind_migration.get(words, 0.0), waited_s)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Looks while the body runs."""
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()


@pytest.mark.timeout(3_000)
def test_a_million_messages_are_migrated_while_the_release_before_serves(tmp_path: Path) -> None:
    assert FOLDER is not None
    old = Path(FOLDER)
    with EmbeddedPostgres(tmp_path / "postgres") as server:
        for name in SERVICES:
            server.ensure_database(name)
        environment = {
            "PATH": os.environ["PATH"],
            "PRICING_DATABASE_URL": server.url("pricing"),
            "MESSAGING_DATABASE_URL": server.url("messaging"),
        }
        command = [sys.executable, "-m", "sms_cli", "migrate", "all"]
        subprocess.run(command, cwd=old, env={**environment, **of_release(old)}, check=True, timeout=120)
        (tmp_path / "system").mkdir()
        databases = {name: Database(server, name) for name in SERVICES}
        system = System(tmp_path / "system", databases, {})
        run_services_of(system, old)
        system.start()
        try:
            system.rest.set_cost("DirectCustomer", 0.8)
            fill(system)
            callers = upgrade(system, environment, server)
        finally:
            system.stop()
        check_head(system, databases, callers)


def fill(system: System) -> None:
    """Sends some messages, and copies them until there are enough."""
    with Callers("history", [system.rest], callers=CALLERS) as callers:
        until("the first ones are sent", callers.has_sent(SEEDS), 60)
    unfinished = "SELECT 1 FROM message WHERE state <> 'delivered' LIMIT 1"
    until("receipts are in", lambda: not system.messaging_database.rows(unfinished), 60)
    began = time.monotonic()
    each = max(1, MESSAGES // system.messaging_database.value("SELECT count(*) FROM message"))
    with psycopg.connect(system.messaging_database.url) as connection:
        connection.execute("SET statement_timeout = 0")
        connection.execute("SET enable_seqscan = on")
        connection.execute("CREATE TEMPORARY TABLE seeds AS SELECT id FROM message")
        statements = [_copy_of(connection, table, changed) for table, changed in _CHANGED.items()]
        for first in range(1, each + 1, AT_ONCE):
            bounds = {"first": first, "last": min(each, first + AT_ONCE - 1)}
            connection.execute(f"{_COPIES} WHERE m.id IN (SELECT id FROM seeds)".encode(), bounds)
            for statement in statements:
                connection.execute(statement.encode())
            connection.execute("DROP TABLE copies")
            connection.commit()
        connection.execute(
            "UPDATE account a SET posted = (SELECT coalesce(sum(amount), 0) FROM ledger_entry WHERE account_id = a.id)"
        )
        connection.commit()
    system.messaging_database.run("VACUUM ANALYZE")
    number = system.messaging_database.value("SELECT count(*) FROM message")
    sys.stdout.write(f"{number:,} messages, made in {time.monotonic() - began:.0f} s\n")


def _copy_of(connection: psycopg.Connection, table: str, changed: dict[str, str]) -> str:
    columns = [row[0] for row in connection.execute(_COLUMNS, (table,)).fetchall()]
    key = "id" if table == "message" else "message_id"
    values = ", ".join(changed.get(column, f"t.{column}") for column in columns)
    into = f"INSERT INTO {table} ({', '.join(columns)})"
    # Events and entries of one message are numbered in their order.
    order = "ORDER BY t.id" if table in {"message_event", "ledger_entry"} else ""
    return f"{into} SELECT {values} FROM {table} t JOIN copies c ON c.old_id = t.{key} {order}"


def upgrade(system: System, environment: dict[str, str], server: EmbeddedPostgres) -> Callers:
    """Migrates under load, and compares what T1 took with what it took before."""
    watch = LockWatch(server.url("messaging"))
    with Callers("upgrade", [system.rest], callers=CALLERS, every_s=CALLERS / SENDS_A_SECOND) as callers:
        until("some were sent", callers.has_sent(50), 60)
        start = flushes(system)
        threading.Event().wait(BEFORE_S)
        before = flushes(system)
        began = time.monotonic()
        with watch.watching():
            for service in SERVICES:
                subprocess.run(
                    [sys.executable, "-m", f"{service}_service.migrate"],
                    env={**environment, "PGAPPNAME": "migration"},
                    check=True,
                    timeout=2_400,
                )
        took_s = time.monotonic() - began
        during = flushes(system)
        threading.Event().wait(BEFORE_S)
        after = flushes(system)
    p99 = [percentile(first, last) for first, last in ((start, before), (before, during), (during, after))]
    sys.stdout.write(
        f"migrated in {took_s:.0f} s under {SENDS_A_SECOND} sends/s by the release before; T1 p99 before, during and "
        f"after: {', '.join(f'{each * 1000:.0f} ms' for each in p99)}; {len(callers.requests)} asked for, "
        f"{callers.refused} refused; {watch.looks} looks at locks, longest wait of a service "
        f"{watch.longest_s:.2f} s, behind the migration: {watch.behind_migration or 'none'}\n"
    )
    assert callers.refused == 0
    assert max(watch.behind_migration.values(), default=0.0) < LONGEST_LOCK_S
    assert p99[1] < 2 * max(p99[0], p99[2])
    until("nothing is under way", lambda: not system.messaging_database.rows("SELECT 1 FROM dispatch LIMIT 1"), 60)
    with unguarded(system.messaging_database):
        check_every_promise(system, callers)
    return callers


@contextmanager
def unguarded(database: Database) -> Iterator[None]:
    """Lets a test read all of a million messages, which the guards of the service's role would end."""
    guarded = database.url
    database.url = make_conninfo(guarded, options="-c statement_timeout=0 -c enable_seqscan=on")
    try:
        yield
    finally:
        database.url = guarded


def check_head(system: System, databases: dict[str, Database], callers: Callers) -> None:
    """This release goes on with what it finds."""
    system = System(system.journal.parent, databases, {})
    system.start()
    try:
        known = next(iter(callers.sent))
        answer = system.rest.post("/api/sms/send", callers.requests[known])
        assert answer.entry["outboxId"] == callers.sent[known]
        assert system.rest.send("upgraded").entry["status"] == "sent"
        checked = system.command("accounts", "verify")
        assert checked.returncode == 0, checked.stdout + checked.stderr
    finally:
        system.stop()


def flushes(system: System) -> dict[float, float]:
    """T1 so far: how many took no longer than so many seconds."""
    families = text_string_to_metric_families(system.metrics("messaging"))
    (family,) = (family for family in families if family.name == "tukupay_flush_seconds")
    return {
        float(sample.labels["le"]): sample.value
        for sample in family.samples
        if sample.name.endswith("_bucket") and sample.labels["flush"] == "acceptance"
    }


def percentile(first: dict[float, float], last: dict[float, float], share: float = 0.99) -> float:
    """Between two moments, by a straight line through the bucket."""
    counts = {bound: last[bound] - first[bound] for bound in sorted(last)}
    wanted, below, lower = share * counts[float("inf")], 0.0, 0.0
    for bound, count in counts.items():
        if count >= wanted:
            return bound if count == below else lower + (bound - lower) * (wanted - below) / (count - below)
        below, lower = count, bound
    raise AssertionError("nothing was flushed")
