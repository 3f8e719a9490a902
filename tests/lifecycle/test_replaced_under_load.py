"""Processes of every kind are replaced and killed under 50 sends a second: three of each, found by name."""

from __future__ import annotations

import time
from functools import partial

import pytest

from tests.faults.callers import check_every_promise
from tests.lifecycle.conftest import FleetOn, price_everybody
from tests.lifecycle.fleet import KINDS, Fleet
from tests.lifecycle.load import Load, Outcome, Phase
from tests.system.databases import Databases
from tests.system.effort import IS_LONG
from tests.system.rest import SEND, Rest
from tests.system.waiting import until

pytestmark = [
    pytest.mark.skipif(not IS_LONG, reason="takes minutes; `make lifecycle-test` runs it"),
    pytest.mark.timeout(1_800),
]


def made(fleet_on: FleetOn, databases: Databases, **settings: str) -> Fleet:
    return fleet_on({service: databases.create(service) for service in ("pricing", "messaging")}, **settings)


def words(failures: list[Outcome]) -> list[str]:
    return [f"{outcome.message_id} by {outcome.gateway}: {outcome.failure}" for outcome in failures]


def say(phase: Phase, *more: str) -> None:
    print("phase", phase, *more)  # noqa: T201 - what the report keeps


def test_a_rolling_restart_of_every_kind_fails_no_call(fleet_on: FleetOn, databases: Databases) -> None:
    fleet = made(fleet_on, databases)
    fleet.start(dict.fromkeys(KINDS, 3))
    price_everybody(fleet)
    with Load("rolling", fleet.gateways) as load:
        with load.phase("before") as phase:
            load.run(10)
        say(phase)
        for kind in KINDS:
            with load.phase(f"rolling restart of {kind}") as phase:
                took = fleet.roll(kind)
                load.run(3)
            say(phase, f"ends took {', '.join(f'{seconds:.1f}' for seconds in took)} s")
    assert {phase.name: words(phase.failures) for phase in load.phases if phase.failures} == {}
    check_every_promise(fleet, load)


def test_of_a_killed_process_only_the_calls_in_flight_are_uncertain(fleet_on: FleetOn, databases: Databases) -> None:
    fleet = made(fleet_on, databases)
    fleet.start(dict.fromkeys(KINDS, 3))
    price_everybody(fleet)
    with Load("killed", fleet.gateways) as load:
        for kind in KINDS:
            victim = fleet.of(kind)[0]
            with load.phase(f"SIGKILL of a {kind}") as phase:
                load.run(3)
                killed = time.monotonic()
                fleet.kill(victim)
                dead = time.monotonic()
                load.run(10)
            in_flight = [each for each in phase.outcomes if each.began <= dead and each.ended >= killed]
            say(phase, f"{len(in_flight)} in flight when it died")
            assert words([failed for failed in phase.failures if failed not in in_flight]) == []
            fleet.start({kind: 1})
    # Whoever was not told asks again with the same id, and is: nothing is sent twice, nothing is lost.
    uncertain = [outcome.message_id for phase in load.phases for outcome in phase.failures]
    rest = Rest(f"http://{fleet.gateways()[0]}")

    def answered(message_id: str) -> bool:
        return rest.post(SEND, load.requests[message_id]).status in {200, 202}

    for message_id in uncertain:
        until(f"{message_id} is answered", partial(answered, message_id), 90)
    rest.close()
    open_states = ("submitting", "unknown", "queued", "pending")
    query = "SELECT count(*) FROM message WHERE account_id = %s AND state = ANY(%s)"
    until("nothing is open", lambda: fleet.messaging_database.value(query, load.user, list(open_states)) == 0, 120)
    states = dict(
        fleet.messaging_database.rows("SELECT state, count(*) FROM message WHERE account_id = %s GROUP BY 1", load.user)
    )
    print("phase", f"{len(uncertain)} uncertain, asked again; states in the end: {states}")  # noqa: T201
    assert sum(states.values()) == len(load.requests)
    check_every_promise(fleet, load)


def test_new_replicas_have_their_share_within_six_minutes(fleet_on: FleetOn, databases: Databases) -> None:
    fleet = made(fleet_on, databases)
    fleet.start({"pricing": 1, "messaging": 2, "gateway": 3})
    price_everybody(fleet)
    with Load("shares", fleet.gateways) as load:
        with load.phase("two replicas") as phase:
            load.run(10)
        say(phase)
        with load.phase("from two to four replicas") as phase:
            fleet.start({"messaging": 2})
            began, first = time.monotonic(), 0.0
            before = {replica.host: 0.0 for replica in fleet.of("messaging")}
            while time.monotonic() - began < 360:
                load.run(5)
                before = {replica.host: replica.calls() for replica in fleet.of("messaging")}
                if not first and all(before.values()):
                    first = time.monotonic() - began
            load.run(60)
            counts = {replica.host: replica.calls() - before[replica.host] for replica in fleet.of("messaging")}
        fair = sum(counts.values()) / 4
        shares = {host: count / fair for host, count in counts.items()}
        say(
            phase,
            f"both new ones had calls after {first:.0f} s; shares in the seventh minute: "
            f"{', '.join(f'{share:.2f}' for share in shares.values())}",
        )
    assert words(phase.failures) == []
    assert all(0.8 <= share <= 1.2 for share in shares.values()), shares
    check_every_promise(fleet, load)


def test_the_binds_of_the_operator_are_never_exceeded_while_replicas_come_and_go(
    fleet_on: FleetOn, databases: Databases
) -> None:
    allowed = 4
    fleet = made(fleet_on, databases, SMPP_MAX_BINDS=str(allowed), SMPP_BINDS="4", SMPP_BIND_LEASE_S="12")
    fleet.start({"pricing": 1, "messaging": 1, "gateway": 1})
    price_everybody(fleet)
    until("one replica holds all", lambda: fleet.phones.stats()["binds"] == allowed, 60)
    with Load("binds", fleet.gateways) as load:
        with load.phase("from one to six replicas") as phase:
            fleet.start({"messaging": 5})
            load.run(20)
        say(phase, f"binds {fleet.phones.stats()['binds']}, at most {fleet.phones.stats()['maxBinds']}")
        with load.phase("from six to two replicas") as phase:
            for replica in fleet.of("messaging")[:4]:
                fleet.retire(replica)
            load.run(20)
        say(phase, f"binds {fleet.phones.stats()['binds']}, at most {fleet.phones.stats()['maxBinds']}")
    until("two replicas hold all", lambda: fleet.phones.stats()["binds"] == allowed, 60)
    assert fleet.phones.stats()["maxBinds"] == allowed
    assert {phase.name: words(phase.failures) for phase in load.phases if phase.failures} == {}
    check_every_promise(fleet, load)
