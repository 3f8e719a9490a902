"""The carrier allows three binds: two replicas share them, whatever happens to either."""

from __future__ import annotations

import signal
from typing import Protocol

import pytest

from tests.system.fixtures import NewSystem
from tests.system.running import System
from tests.system.waiting import until

ALLOWED = 3
LEASE_S = 2


class Allowed(Protocol):
    """A running system whose carrier allows so many binds."""

    def __call__(self, binds: int) -> System: ...


@pytest.fixture
def allowed(new_system: NewSystem) -> Allowed:
    def start(binds: int) -> System:
        system = new_system(SMPP_MAX_BINDS=str(binds), SMPP_BIND_LEASE_S=str(LEASE_S))
        system.start()
        system.rest.set_cost("DirectCustomer", 0.8)
        return system

    return start


def shares(system: System) -> list[int]:
    """How many binds each replica holds."""
    query = "SELECT count(*) FROM bind_lease WHERE lease_until > now() GROUP BY owner ORDER BY 1"
    return [count for (count,) in system.messaging_database.rows(query)]


def all_up(system: System, *expected: int) -> bool:
    return shares(system) == list(expected) and system.phones.stats()["binds"] == ALLOWED


def test_the_binds_that_are_allowed_are_shared_taken_over_and_never_exceeded(allowed: Allowed) -> None:
    system = allowed(ALLOWED)
    until("one replica holds all", lambda: all_up(system, 3))
    replica = system.add_replica()
    replica.process.start()
    replica.gateway.start()
    until("two replicas share them", lambda: all_up(system, 1, 2))
    for rest in (system.rest, replica.rest):
        assert rest.send("user1").body["status"] == "success"

    system.messaging.signal(signal.SIGKILL)
    system.messaging.wait()
    until("the survivor holds all within the lease and a look", lambda: all_up(system, 3), 2 * LEASE_S)

    system.messaging.start()
    until("they are shared again", lambda: all_up(system, 1, 2))
    replica.process.signal(signal.SIGTERM)
    assert replica.process.wait() == 0
    until("what was given up is taken at once", lambda: all_up(system, 3), LEASE_S)
    assert system.phones.stats()["maxBinds"] == ALLOWED


def test_a_replica_without_a_bind_has_the_other_one_send(allowed: Allowed) -> None:
    system = allowed(1)
    until("one replica holds it", lambda: shares(system) == [1])
    replica = system.add_replica()
    replica.process.launch()
    replica.gateway.start()
    until("the other one is ready", replica.rest.is_ready)
    answers = [replica.rest.send("user1") for _ in range(5)]
    assert {answer.body["status"] for answer in answers} == {"success"}
    senders = system.messaging_database.rows("SELECT DISTINCT actor FROM message_event WHERE to_state = 'submitting'")
    assert len(senders) == 1
    assert system.phones.stats()["maxBinds"] == 1
    # The replica that held the bind goes, and the one that had none sends by itself.
    system.messaging.signal(signal.SIGTERM)
    assert system.messaging.wait() == 0
    until("the bind moved", lambda: system.phones.stats()["binds"] == 1)
    assert replica.rest.send("user1").body["status"] == "success"
    assert system.phones.stats()["maxBinds"] == 1


def test_a_replica_that_was_frozen_beyond_its_lease_gives_way_when_it_wakes(allowed: Allowed) -> None:
    system = allowed(ALLOWED)
    replica = system.add_replica()
    replica.process.start()
    replica.gateway.start()
    until("two replicas share them", lambda: all_up(system, 1, 2))
    system.messaging.signal(signal.SIGSTOP)
    # Its sessions live on at the carrier, which has no way to know better yet.
    until("the other one holds every lease", lambda: shares(system) == [3], 2 * LEASE_S)
    system.messaging.signal(signal.SIGCONT)
    until("both have their share, and none more is bound", lambda: all_up(system, 1, 2))
    for rest in (system.rest, replica.rest):
        assert rest.send("user1").body["status"] == "success"
