"""SIGTERM of one of two messaging replicas under load."""

from __future__ import annotations

import signal

import pytest

from tests.faults.callers import Callers, check_every_promise
from tests.system.effort import effort
from tests.system.fixtures import NewSystem
from tests.system.running import System
from tests.system.waiting import until


@pytest.fixture(scope="module")
def system(new_system: NewSystem) -> System:
    system = new_system()
    system.start()
    system.rest.set_cost("DirectCustomer", 0.8)
    return system


def test_terminated_beside_a_second_replica_everything_is_sent_once(system: System) -> None:
    replica = system.add_replica()
    replica.process.start()
    replica.gateway.start()
    with Callers("rolling", [system.rest, replica.rest], persistent=True) as callers:
        for _ in range(effort(1, 5)):
            until("some were sent", callers.has_sent(100))
            system.messaging.signal(signal.SIGTERM)
            assert system.messaging.wait() == 0
            until("the other one sends on", callers.has_sent(50))
            system.messaging.start()
    assert list(callers.sent) != []
    assert callers.requests.keys() == callers.sent.keys()
    check_every_promise(system, callers)
    # Nothing was left to a lease to end: the old process finished what it had begun.
    states = system.messaging_database.rows("SELECT DISTINCT to_state FROM message_event ORDER BY 1")
    assert [state for (state,) in states] == ["accepted", "delivered", "submitting"]
