"""What may happen to a PostgreSQL server while services use it."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psycopg

from service_kit.embedded.embedded_postgres import EmbeddedPostgres


def processes_of(server: EmbeddedPostgres) -> list[int]:
    """The postmaster and its children, which have sessions and process groups of their own."""
    assert server.pid is not None
    return [server.pid, *(pid for pid in _all_pids() if _parent_of(pid) == server.pid)]


def send(number: signal.Signals, pids: Sequence[int]) -> None:
    """Sends a signal to those that are still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def backends(server: EmbeddedPostgres, application: str) -> list[int]:
    """Backends of one pool of a service, those that recorded messages last first."""
    query = """
        SELECT pid FROM pg_stat_activity WHERE application_name = %s
        ORDER BY query LIKE '%%INSERT INTO message (%%' DESC, state = 'active' DESC, state_change DESC
    """
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        return [row[0] for row in connection.execute(query, (application,)).fetchall()]


def set_read_only(server: EmbeddedPostgres, *, read_only: bool) -> None:
    """Makes all transactions read-only that begin from now on, or lets them write again."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        if read_only:
            connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        else:
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
        connection.execute("SELECT pg_reload_conf()")


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _parent_of(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name in parentheses may hold anything, a parenthesis too.
    return int(stat.rpartition(")")[2].split()[1])
