"""PostgreSQL killed, frozen or read-only under load: the services stay up, say so, go on, and break no promise.

Each fault over TCP and over the Unix socket. TUKUPAY_DATABASE_SEEDS is how many times each, which also makes those long
that last: a server stands still for 20 s, and is read-only for 4 s and for 40 s. When it is once, what happens to the
server rather than to its connections happens over TCP alone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Final

import pytest

from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.process import ENDING_S
from tests.faults.callers import Callers, check_every_promise, post
from tests.system.databases import on_own_server
from tests.system.ports import free_port
from tests.system.postgres_faults import backends, processes_of, send, set_read_only
from tests.system.privacy import leaks
from tests.system.rest import sms
from tests.system.running import System
from tests.system.waiting import until

SEEDS: Final = int(os.environ.get("TUKUPAY_DATABASE_SEEDS", "1"))
FIRST_SEED: Final = int(os.environ.get("TUKUPAY_DATABASE_FIRST_SEED", "1"))
IS_LONG: Final = SEEDS > 1
FIRST_SUCCESS_S: Final = 5.0
"""The longest that the first success may take once the database can be written again."""
SENDS_A_SECOND: Final = 50
CALLERS: Final = 12
DRAIN_S: Final = 1.0
LEASE_S: Final = 25
"""Ends before 40 s of read-only are over."""
TAKEN_OVER_S: Final = LEASE_S + 5.0
"""The longest that a message is under way whose process does not know that it recorded it: its commit had no answer."""
SLOW: Final = "+254700000011"
"""The carrier takes its messages, and answers after 2 s: in the middle of what lasts."""


@dataclass(frozen=True)
class World:
    """A system and the server of its databases."""

    kind: str
    server: EmbeddedPostgres
    system: System

    def says(self, *states: str) -> bool:
        """Whether both services are in one of these states."""
        parts = self.system.rest.get("/readyz").body["parts"]
        return set(parts.values()) <= set(states)

    def wait_not_serving(self) -> None:
        """Returns when both say that they do not serve."""
        until("both services say that they do not serve", lambda: self.says("not serving"))


KINDS: Final = ("tcp", "unix socket")


@pytest.fixture(scope="module", params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("database")
    is_tcp = request.param == "tcp"
    port = free_port() if is_tcp else None
    with EmbeddedPostgres(folder / "postgres", fsync=False, port=port) as server:
        settings = {
            "GATEWAY_OUTCOME_WAIT_S": "2",
            "SMS_LEASE_S": str(LEASE_S),
            "SMS_LEASE_MARGIN_S": "5",
            "MESSAGING_DRAIN_S": str(DRAIN_S),
            "PRICING_DRAIN_S": str(DRAIN_S),
        }
        system = System(folder, on_own_server(server, tcp=is_tcp), settings)
        try:
            system.start()
            system.rest.set_cost("DirectCustomer", 0.8)
            yield World(request.param, server, system)
        finally:
            system.stop()
        assert system.leaks() == []
        assert leaks(server.log_file.read_text(errors="replace")) == []


Fault = Callable[[World, Random], float]
"""Strikes, and puts things right; since when the database can be written again."""


def postmaster_killed(world: World, _: Random) -> float:
    assert world.server.pid is not None
    os.kill(world.server.pid, signal.SIGKILL)
    world.wait_not_serving()
    world.server.open()
    return time.monotonic()


def group_killed(world: World, _: Random) -> float:
    send(signal.SIGKILL, processes_of(world.server))
    world.wait_not_serving()
    world.server.open()
    return time.monotonic()


def one_backend_ended(world: World, random: Random) -> float:
    """The one that records messages: told to end, or killed, after which the server starts all of them anew."""
    number = random.choice((signal.SIGTERM, signal.SIGKILL))
    send(number, backends(world.server, "messaging")[:1])
    began = time.monotonic()
    until("the server takes connections", lambda: _takes_connections(world.server))
    return began if number is signal.SIGTERM else time.monotonic()


def standing_still(world: World, _: Random) -> float:
    pids = processes_of(world.server)
    # The postmaster first: it would start others in the place of those that do not answer.
    send(signal.SIGSTOP, pids)
    began = time.monotonic()
    try:
        world.wait_not_serving()
        _wait_until(began + (20.0 if IS_LONG else 3.0))
    finally:
        send(signal.SIGCONT, pids)
    return time.monotonic()


def read_only(seconds: float) -> Fault:
    def strike(world: World, _: Random) -> float:
        set_read_only(world.server, read_only=True)
        began = time.monotonic()
        try:
            world.wait_not_serving()
            answer = world.system.rest.send("read-only")
            assert (answer.status, answer.reason) == (503, "DATABASE_UNAVAILABLE"), answer.text
            assert "read-only" in answer.problem["detail"]
            assert int(answer.headers["Retry-After"]) >= 1
            _wait_until(began + seconds)
        finally:
            set_read_only(world.server, read_only=False)
        return time.monotonic()

    return strike


FAULTS: Final[dict[str, Fault]] = {
    "postmaster killed": postmaster_killed,
    "all of the server killed": group_killed,
    "one backend ended": one_backend_ended,
    "standing still": standing_still,
    "read-only for 4 s": read_only(4.0),
    **({"read-only for 40 s": read_only(40.0)} if IS_LONG else {}),
}
OF_THE_SERVER: Final = ("standing still", "read-only for 4 s")
"""Nothing happens to a connection, so that it does not matter which kind it is."""


@pytest.mark.timeout(120 * SEEDS + 60)
@pytest.mark.parametrize(
    ("world", "fault"),
    [
        pytest.param(kind, fault, id=f"{kind}-{fault}")
        for kind in KINDS
        for fault in FAULTS
        if IS_LONG or kind == "tcp" or fault not in OF_THE_SERVER
    ],
    indirect=["world"],
)
def test_no_promise_is_broken(world: World, fault: str) -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + SEEDS):
        strike(world, fault, seed)


@pytest.mark.skipif(not IS_LONG, reason="belongs to the long campaigns (`make faults`)")
def test_who_is_told_to_end_while_the_server_stands_still_is_gone_in_time(world: World) -> None:
    services = (world.system.messaging, world.system.pricing)
    pids = processes_of(world.server)
    with ThreadPoolExecutor(1) as pool:
        send(signal.SIGSTOP, pids)
        try:
            asked = pool.submit(post, world.system.rest, sms("ending"))
            world.wait_not_serving()
            for service in services:
                service.terminate()
            for service in services:
                service.wait(DRAIN_S + ENDING_S + 2)
        finally:
            send(signal.SIGCONT, pids)
        told = asked.result()
    assert told is not None
    assert told.status in {503, 504}, told.text
    for service in reversed(services):
        service.start()
    assert world.system.rest.send("ended").status == 200


def strike(world: World, fault: str, seed: int) -> None:
    """One round: load, the fault, and a look at everything that was promised."""
    random, system = Random(f"{world.kind} {fault} {seed}"), world.system
    pids = [process.pid for process in system.processes]
    user = f"{world.kind}-{fault}-{seed}".replace(" ", "-")
    with ThreadPoolExecutor(1) as pool:
        with Callers(user, [system.rest], callers=CALLERS, every_s=CALLERS / SENDS_A_SECOND) as callers:
            until("some were sent", callers.has_sent(25))
            _wait_until(time.monotonic() + random.uniform(0.0, 0.5))
            slow = pool.submit(post, system.rest, sms(user, recipientPhoneNumber=SLOW, messageId=f"{user}-slow"))
            until("the slow one is under way", lambda: _is_submitting(system, f"{user}-slow") or slow.done())
            writable_at = FAULTS[fault](world, random)
            until("a message is sent again", callers.has_sent(1))
            first_s = time.monotonic() - writable_at
            until("the system is ready", system.rest.is_ready)
            until("many are sent again", callers.has_sent(25))
        slow.result()
    words = f"{len(callers.requests)} asked for, {callers.refused} refused, first success after {first_s:.2f} s"
    sys.stdout.write(f"seed {seed}, {world.kind}, {fault}: {words}\n")
    assert first_s < FIRST_SUCCESS_S
    assert [process.pid for process in system.processes if process.is_running] == pids

    # The carrier's answers to what was under way are recorded now.
    until("nothing is under way", lambda: _under_way(system, user) == 0, TAKEN_OVER_S)
    check_every_promise(system, callers)
    until("every repetition has its answer", lambda: _without_answer(system, callers) == [])
    check_every_promise(system, callers)
    state, events = _slow_one(system, f"{user}-slow")
    assert state == "delivered", events
    if fault != "read-only for 40 s":
        assert "unknown" not in events, "its outcome came in time, and was recorded when the database was back"


def _without_answer(system: System, callers: Callers) -> list[str]:
    """Messages that were neither sent nor are known to be left to a receipt, though they were asked for again."""
    query = "SELECT client_message_id FROM message WHERE account_id = %s AND state = 'unknown'"
    unknown = {row[0] for row in system.messaging_database.rows(query, callers.user)}
    return [message_id for message_id in callers.repeat_open() if message_id not in unknown]


def _slow_one(system: System, key: str) -> tuple[str, list[str]]:
    query = "SELECT id::text FROM message WHERE client_message_id = %s"
    message_id: str = system.messaging_database.value(query, key)
    until("the slow one is delivered", lambda: system.state(message_id) == "delivered")
    return system.state(message_id), system.events(message_id)


def _is_submitting(system: System, key: str) -> bool:
    query = "SELECT 1 FROM message WHERE client_message_id = %s AND state = 'submitting'"
    return bool(system.messaging_database.rows(query, key))


def _under_way(system: System, user: str) -> int:
    """How many messages wait for a carrier or its answer."""
    query = """
        SELECT count(*) FROM dispatch d JOIN message m ON m.id = d.message_id
        WHERE m.account_id = %s AND d.state <> 'unknown'
    """
    count: int = system.messaging_database.value(query, user)
    return count


def _takes_connections(server: EmbeddedPostgres) -> bool:
    try:
        backends(server, "messaging")
    except Exception:  # noqa: BLE001 - in recovery
        return False
    return True


def _wait_until(monotonic: float) -> None:
    threading.Event().wait(max(0.0, monotonic - time.monotonic()))
