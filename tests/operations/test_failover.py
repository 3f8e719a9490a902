"""The primary changes under load, by Patroni: nothing acknowledged is lost or doubled, and nobody restarts a service.

Two nodes with `synchronous_mode_strict`, which take turns. TUKUPAY_FAILOVER_ROUNDS is how often each event happens.
Patroni and etcd are needed (tests/system/patroni.py); without them this is skipped, and says so.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
import pytest

from messaging_service.wiring.migrate import migrate as migrate_messaging
from pricing_service.adapters.migrate import migrate as migrate_pricing
from tests.faults.callers import Callers, check_every_promise
from tests.system.databases import Database
from tests.system.patroni import TTL_S, Node, PatroniCluster, patroni_cluster, programs
from tests.system.postgres_faults import send
from tests.system.running import System
from tests.system.waiting import until

ROUNDS: Final = int(os.environ.get("TUKUPAY_FAILOVER_ROUNDS", "3"))
FIRST_SUCCESS_S: Final = 5.0
"""The longest that the first success may take once a commit on the new primary is answered."""
SOON_S: Final = 1.0
"""The longest that a commit takes while nothing is wrong, on a busy machine."""
SETTLED_S: Final = 3.0
RECOVERED_S: Final = 120.0
"""The longest that all of it may take, the return of the other node included."""
SENDS_A_SECOND: Final = 60
CALLERS: Final = 12
"""Of each kind: those that never repeat a message, and those that repeat it with its id until they are told."""
LEASE_S: Final = 25
TAKEN_OVER_S: Final = LEASE_S + 15.0
BEFORE_S: Final = 4.0
FOUND: Final = programs()

pytestmark = pytest.mark.skipif(isinstance(FOUND, str), reason=str(FOUND))


@dataclass
class Probe:
    """Writes to whichever server is primary, and knows when that was last impossible.

    By connections of its own to each node, so that it says nothing about the pools of the services.
    """

    cluster: PatroniCluster
    promoted_at: float | None = None
    """When another node than before took writes of its own."""
    writable_at: float | None = None
    """Since when each commit there has been answered soon: a node that comes back may confirm some before it is rewound
    and in step, and those after them wait for that."""
    _over: threading.Event = field(default_factory=threading.Event)

    def watch(self, new: Node) -> None:
        """Looks at the node that is to become primary, and writes to it."""
        while not self._over.is_set():
            if self.promoted_at is None and new.is_primary:
                self.promoted_at = time.monotonic()
            if self.promoted_at is not None:
                began = time.monotonic()
                if not self._commits(new):
                    self.writable_at = None
                elif self.writable_at is None or time.monotonic() - began > SOON_S:
                    self.writable_at = time.monotonic()
            self._over.wait(0.05)

    def _commits(self, node: Node) -> bool:
        try:
            with psycopg.connect(node.url("postgres"), autocommit=True) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS probe (at timestamptz)")
                connection.execute("INSERT INTO probe VALUES (now())")
        except psycopg.Error:
            return False
        return True

    def close(self) -> None:
        """Ends the watch."""
        self._over.set()


Event = Callable[["World", Node], Callable[[], None]]
"""Strikes the primary; what it gives puts that node right once the other is primary."""


def switched_over(world: World, _: Node) -> Callable[[], None]:
    """As before maintenance: the standby takes over in order."""
    world.cluster.switch_over()
    return lambda: None


def killed(world: World, primary: Node) -> Callable[[], None]:
    """SIGKILL of the postmaster and its Patroni; the machine is back after the other one took over."""
    world.cluster.kill(primary)
    return lambda: world.cluster.start_node(primary)


def standing_still(world: World, primary: Node) -> Callable[[], None]:
    """All processes of the node stop, and go on after the other one took over: for a moment there are two primaries."""
    pids = primary.processes()
    # The postmaster would start others in the place of those that do not answer.
    send(signal.SIGSTOP, pids)
    return lambda: send(signal.SIGCONT, pids)


EVENTS: Final[dict[str, Event]] = {
    "switched over": switched_over,
    "killed": killed,
    "standing still": standing_still,
}


@dataclass(frozen=True)
class World:
    """A system and the cluster of its databases."""

    cluster: PatroniCluster
    system: System


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    assert not isinstance(FOUND, str)
    folder = tmp_path_factory.mktemp("failover")
    with patroni_cluster(FOUND, ("pricing", "messaging")) as cluster:
        migrate_pricing(cluster.url("pricing"))
        migrate_messaging(cluster.url("messaging"))
        administration = cluster.url("postgres")
        databases = {name: Database.at(cluster.url(name), administration) for name in ("pricing", "messaging")}
        settings = {"GATEWAY_OUTCOME_WAIT_S": "2", "SMS_LEASE_S": str(LEASE_S), "SMS_LEASE_MARGIN_S": "5"}
        system = System(folder, databases, settings)
        try:
            system.start()
            system.rest.set_cost("DirectCustomer", 0.8)
            yield World(cluster, system)
        finally:
            system.stop()
        assert system.leaks() == []


@pytest.mark.timeout(60 + 240 * ROUNDS)
@pytest.mark.parametrize("event", EVENTS)
def test_the_primary_changes_and_no_promise_is_broken(world: World, event: str) -> None:
    for number in range(1, ROUNDS + 1):
        change(world, event, number)


def change(world: World, event: str, number: int) -> None:
    """One round: load, the event, and a look at everything that was promised."""
    system, cluster = world.system, world.cluster
    cluster.wait_synchronous()
    old = cluster.primary
    new = cluster.other(old)
    pids = [process.pid for process in system.processes]
    user = f"{event}-{number}".replace(" ", "-")
    every_s = 2 * CALLERS / SENDS_A_SECOND
    probe = Probe(cluster)
    watching = threading.Thread(target=probe.watch, args=(new,))
    with ExitStack() as stack:
        once = stack.enter_context(Callers(f"{user}-once", [system.rest], callers=CALLERS, every_s=every_s))
        again = stack.enter_context(
            Callers(f"{user}-again", [system.rest], callers=CALLERS, every_s=every_s, persistent=True, pause_s=0.5)
        )
        until("some were sent", once.has_sent(25))
        began_at, began = time.monotonic(), len(once.sent) + len(again.sent)
        threading.Event().wait(BEFORE_S)
        rate = (len(once.sent) + len(again.sent) - began) / (time.monotonic() - began_at)
        stack.callback(watching.join)
        stack.callback(probe.close)
        struck_at = time.monotonic()
        watching.start()
        put_right = EVENTS[event](world, old)
        promoted_at = until("the other node is primary", lambda: probe.promoted_at, 3.0 * TTL_S) or 0.0
        put_right()
        sent = Growth(once, again)
        until("messages are sent again", lambda: has_recovered(probe, sent), RECOVERED_S)
        until("the system is ready", system.rest.is_ready)
        until("many are sent again", once.has_sent(25))
        until("many are sent again", again.has_sent(25))
    writable_at = probe.writable_at or 0.0
    first_s = sent.first_after(writable_at) - writable_at
    sys.stdout.write(
        f"{event}, round {number} ({old.name} to {new.name}): {rate:.0f} sends/s; promoted after "
        f"{promoted_at - struck_at:.1f} s, commits answered {writable_at - promoted_at:.1f} s later, first success "
        f"{first_s:.2f} s after that; {len(once.requests) + len(again.requests)} asked for, "
        f"{once.refused + again.refused} answers were refusals\n"
    )
    assert first_s < FIRST_SUCCESS_S
    assert [process.pid for process in system.processes if process.is_running] == pids

    until("nothing is under way", lambda: under_way(system, once.user, again.user) == 0, TAKEN_OVER_S)
    check_every_promise(system, once)
    until("every repetition has its answer", lambda: without_answer(system, again) == [], TAKEN_OVER_S)
    check_every_promise(system, again)
    cluster.wait_synchronous()
    for command in (("accounts", "verify"), ("audit", "verify")):
        checked = system.command(*command)
        assert checked.returncode == 0, checked.stdout + checked.stderr


class Growth:
    """When messages were sent, as far as somebody looked."""

    def __init__(self, *callers: Callers) -> None:
        self._callers = callers
        self._number = sum(len(each.sent) for each in callers)
        self._moments: list[float] = []

    def look(self) -> None:
        """Notes this moment when more were sent than at the last look."""
        number = sum(len(each.sent) for each in self._callers)
        if number > self._number:
            self._number = number
            self._moments.append(time.monotonic())

    def first_after(self, moment: float) -> float:
        """The first moment from then on; infinity when there is none."""
        return next((at for at in self._moments if at >= moment), float("inf"))


def has_recovered(probe: Probe, sent: Growth) -> bool:
    """Whether commits have been answered for a while, and something was sent since."""
    sent.look()
    writable_at = probe.writable_at
    if writable_at is None or time.monotonic() - writable_at < SETTLED_S:
        return False
    return sent.first_after(writable_at) < float("inf")


def under_way(system: System, *users: str) -> int:
    """How many messages wait for a carrier or its answer."""
    query = """
        SELECT count(*) FROM dispatch d JOIN message m ON m.id = d.message_id
        WHERE m.account_id = ANY(%s) AND d.state <> 'unknown'
    """
    count: int = system.messaging_database.value(query, list(users))
    return count


def without_answer(system: System, callers: Callers) -> list[str]:
    """Messages that were asked for again, and are neither sent nor known to be left to a receipt."""
    query = "SELECT client_message_id FROM message WHERE account_id = %s AND state = 'unknown'"
    unknown: set[Any] = {row[0] for row in system.messaging_database.rows(query, callers.user)}
    return [message_id for message_id in callers.repeat_open() if message_id not in unknown]
