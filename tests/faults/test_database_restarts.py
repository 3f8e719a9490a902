"""PostgreSQL killed under load: the services stay up, say so, and go on; no promise is broken."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service_kit.embedded_postgres import EmbeddedPostgres
from tests.faults.callers import Callers, check_every_promise
from tests.system.databases import on_own_server
from tests.system.privacy import leaks
from tests.system.running import System
from tests.system.waiting import until

FIRST_SUCCESS_S = 5.0
"""The longest that the first success may take once the database takes connections again."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path / "postgres", fsync=False) as server:
        yield server


@pytest.fixture
def system(server: EmbeddedPostgres, tmp_path: Path) -> Iterator[System]:
    made = System(tmp_path, on_own_server(server), {"GATEWAY_OUTCOME_WAIT_S": "2"})
    try:
        made.start()
        made.rest.set_cost("DirectCustomer", 0.8)
        yield made
    finally:
        made.stop()
    assert made.leaks() == []
    assert leaks(server.log_file.read_text(errors="replace")) == []


def test_killed_under_load_no_promise_is_broken(system: System, server: EmbeddedPostgres) -> None:
    pids = [process.pid for process in system.processes]
    with Callers("restart", [system.rest]) as callers:
        until("some were sent", callers.has_sent(100))
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        until(
            "both services say that they do not serve",
            lambda: system.rest.get("/readyz").body["parts"] == dict.fromkeys(("pricing", "messaging"), "not serving"),
        )
        server.open()
        begun = time.monotonic()
        until("a message is sent again", callers.has_sent(1))
        assert time.monotonic() - begun < FIRST_SUCCESS_S
        until("the system is ready", system.rest.is_ready)
        until("many are sent again", callers.has_sent(100))
    assert callers.refused > 0
    assert [process.pid for process in system.processes if process.is_running] == pids

    # The carrier's answers to what was under way are recorded now.
    until("nothing is under way", lambda: under_way(system) == 0)
    check_every_promise(system, callers)
    until("every repetition has its answer", lambda: callers.repeat_open() == [])
    check_every_promise(system, callers)
    assert len(system.phones.taken()) == len(callers.requests)


def under_way(system: System) -> int:
    """How many messages wait for a carrier or its answer."""
    count: int = system.messaging_database.value("SELECT count(*) FROM dispatch WHERE state <> 'unknown'")
    return count
