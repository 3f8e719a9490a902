"""Both databases are lost under load, and restored to one moment by base backups and archived logs.

Each service has a server of its own, as the harder case: nothing but the moment holds the two together.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from messaging_service.wiring.migrate import migrate as migrate_messaging
from pricing_service.adapters.migrate import migrate as migrate_pricing
from service_kit.embedded.bound_process import unprivileged_user
from tests.faults.callers import Callers, sending
from tests.system.archived_server import ArchivedServer
from tests.system.databases import Database
from tests.system.rest import SEND, sms
from tests.system.running import System
from tests.system.waiting import until

SERVICES = ("pricing", "messaging")
MIGRATE = {"pricing": migrate_pricing, "messaging": migrate_messaging}
CALLERS = 12
SENDS_A_SECOND = 50
PHASE_S = 5.0
SLOW = "+254700000011"
"""The carrier takes its messages, and answers after 2 s."""


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not below the folder of pytest, which no other user may enter.
    made = Path(tempfile.mkdtemp(prefix="tukupay-restore-"))
    made.chmod(0o711)
    if (user := unprivileged_user()) is not None:
        os.chown(made, user.uid, user.gid)
    yield made
    shutil.rmtree(made)


def system_on(folder: Path, servers: dict[str, ArchivedServer], **settings: str) -> System:
    databases = {name: Database(server.server, name) for name, server in servers.items()}
    (folder / "system").mkdir(exist_ok=True)
    return System(folder / "system", databases, {"SMS_LEASE_S": "25", "SMS_LEASE_MARGIN_S": "5", **settings})


def taken(system: System) -> dict[str, int]:
    """How often the carrier took each text."""
    counts: dict[str, int] = {}
    for part in system.phones.taken():
        counts[part["text"]] = counts.get(part["text"], 0) + 1
    return counts


@dataclass(frozen=True)
class Lost:
    """What was known when both servers were lost."""

    moment: datetime
    """To restore to, on the clock of the servers."""
    requests: dict[str, dict[str, Any]]
    promised: dict[str, str]
    """Outbox ids of messages that were answered as sent before the moment, by their ids."""
    after: list[str]
    """Messages that were answered as sent after it."""
    backed_up_s: float


@pytest.fixture
def servers(folder: Path) -> Iterator[dict[str, ArchivedServer]]:
    made = {name: ArchivedServer(folder, name) for name in SERVICES}
    try:
        for name, server in made.items():
            server.open()
            server.server.ensure_database(name)
            MIGRATE[name](server.server.url(name))
        yield made
    finally:
        for server in made.values():
            server.server.close()


@pytest.mark.timeout(400)
def test_a_restored_system_has_whole_books_and_sends_nothing_a_second_time(
    folder: Path, servers: dict[str, ArchivedServer]
) -> None:
    system = system_on(folder, servers)
    try:
        system.start()
        lost = lose_under_load(system, servers)
    finally:
        system.stop()
    began = time.monotonic()
    for server in servers.values():
        server.lose()
        server.restore(lost.moment)
    restored_s = time.monotonic() - began

    system = system_on(folder, servers)
    before = taken(system)
    open_then = {state: count_of(system, state) for state in ("ready", "submitting")}
    held = hold(system)
    assert count_of(system, "submitting") == 0
    assert count_of(system, "ready") == 1, "what is due in an hour"
    try:
        system.start()
        check(system, lost, before)
    finally:
        system.stop()
    sys.stdout.write(
        f"{len(lost.promised)} acknowledged until the moment, all on record; {len(lost.after)} after it, lost; "
        f"open at the moment: {open_then}; base backups {lost.backed_up_s:.1f} s, both servers lost and restored in "
        f"{restored_s:.1f} s: {'; '.join(held.splitlines())}\n"
    )


def lose_under_load(system: System, servers: dict[str, ArchivedServer]) -> Lost:
    """Base backups under load, a moment, and a while later SIGKILL of the services."""
    system.rest.set_cost("DirectCustomer", 0.8)
    later = system.rest.send("later", scheduleTimestamp=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    assert later.status < 300, later.text
    with Callers("restored", [system.rest], callers=CALLERS, every_s=CALLERS / SENDS_A_SECOND) as callers:
        until("some were sent", callers.has_sent(25))
        began = time.monotonic()
        for server in servers.values():
            server.back_up()
        backed_up_s = time.monotonic() - began
        threading.Event().wait(PHASE_S)
        with sending(system.rest, sms("restored", recipientPhoneNumber=SLOW)):
            until("it is under way", lambda: count_of(system, "submitting") > 0)
            promised = dict(callers.sent)
            moment = system.messaging_database.value("SELECT clock_timestamp()")
            threading.Event().wait(PHASE_S)
    for process in system.processes:
        if process is not system.sandbox:
            process.kill()
    return Lost(moment, callers.requests, promised, [key for key in callers.sent if key not in promised], backed_up_s)


def hold(system: System) -> str:
    """Runs what the runbook says before the service is started; what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "messaging_service.after_restore"],
        env={"PATH": os.environ["PATH"], "MESSAGING_DATABASE_URL": system.messaging_database.url},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def check(system: System, lost: Lost, before: dict[str, int]) -> None:
    """Looks at everything that is promised; `before`: what the carrier had taken when the servers were lost."""
    rows = system.messaging_database.rows("SELECT client_message_id FROM message")
    on_record = {row[0] for row in rows}
    assert [key for key in lost.promised if key not in on_record] == [], "acknowledged before the moment"
    for command in (("accounts", "verify"), ("audit", "verify")):
        checked = system.command(*command)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    threading.Event().wait(PHASE_S)
    assert taken(system) == before, "sent by itself after the restore"
    # The key of a message of before the moment is on record, and nothing is sent.
    known = next(iter(lost.promised))
    assert system.rest.post(SEND, lost.requests[known]).entry["outboxId"] == lost.promised[known]
    assert taken(system) == before
    # That of a message of after it is not: who repeats it sends it again.
    repeated = next(key for key in lost.after if key not in on_record)
    assert system.rest.post(SEND, lost.requests[repeated]).status == 200
    assert taken(system)[lost.requests[repeated]["message"]] == 2
    system.check_money()


def count_of(system: System, state: str) -> int:
    """How many rows of the queue are in a state."""
    count: int = system.messaging_database.value("SELECT count(*) FROM dispatch WHERE state = %s", state)
    return count
