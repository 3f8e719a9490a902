"""A messaging process that sleeps through its lease: what it claimed is no longer its own when it wakes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.callers import sending
from tests.system.fixtures import NewSystem
from tests.system.rest import sms
from tests.system.running import Replica, System
from tests.system.waiting import until

FREEZING = [str(Path(__file__).with_name("crashing_messaging.py"))]


@pytest.fixture(scope="module")
def both(new_system: NewSystem) -> tuple[System, Replica]:
    system = new_system(SMS_LEASE_S="1", SMS_LEASE_MARGIN_S="0.2", SMS_UNKNOWN_WINDOW_S="8")
    replica = system.add_replica()
    system.start(without_messaging=True)
    system.rest.set_cost("DirectCustomer", 0.8)
    replica.process.start()
    replica.gateway.start()
    return system, replica


@pytest.fixture
def system(both: tuple[System, Replica]) -> Iterator[System]:
    system, _ = both
    yield system
    if system.messaging.is_running:
        system.messaging.kill()


def only_message(system: System, user: str) -> str:
    """The outbox id of the one message of an account, once it is on record."""
    query = "SELECT id FROM message WHERE account_id = %s"
    rows = until("it is on record", lambda: system.messaging_database.rows(query, user))
    return f"outbox_{rows[0][0].hex}"


def is_frozen(system: System) -> bool:
    """Whether the process stands still."""
    stat = Path(f"/proc/{system.messaging.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


def is_recording(system: System) -> bool:
    """Whether a transaction that records messages waits for a lock."""
    query = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO message (%'
    """
    return bool(system.messaging_database.value(query))


def test_woken_before_its_submit_it_sends_nothing(system: System, both: tuple[System, Replica]) -> None:
    _, replica = both
    system.messaging.start(FREEZING, FAULT_AT="recorded", FAULT_SIGNAL="SIGSTOP")
    request = sms("asleep", messageId="otp")
    with sending(system.rest, request) as (answer,):
        until("it sleeps", lambda: is_frozen(system))
        outbox_id = only_message(system, "asleep")
        system.wait_for_state(outbox_id, "unknown")
        events = system.events(outbox_id)
        system.messaging.signal(signal.SIGCONT)
    told = answer.result()
    assert told is not None
    assert (told.status, told.entry["status"], told.entry["deliveryState"]) == (202, "pending", "unknown")
    # Its caller was answered after it had tried to record its outcome: nothing of that was written.
    assert system.events(outbox_id) == events == ["submitting", "unknown"]
    assert system.phones.taken_for(request["recipientPhoneNumber"]) == []
    assert system.account("asleep") == (0, 0.8)

    # It works on, with new claims.
    assert system.rest.send("asleep", messageId="next").entry["status"] == "sent"
    assert replica.rest.send("asleep", messageId="beside").entry["status"] == "sent"
    assert system.account("asleep") == (-1.6, 0.8)
    system.check_money()


def test_woken_before_it_recorded_the_answer_it_records_nothing(system: System) -> None:
    system.messaging.start(FREEZING, FAULT_AT="answered", FAULT_SIGNAL="SIGSTOP")
    request = sms("answered", messageId="otp")
    with sending(system.rest, request) as (answer,):
        until("it sleeps", lambda: is_frozen(system))
        outbox_id = only_message(system, "answered")
        system.wait_for_state(outbox_id, "unknown")
        system.messaging.signal(signal.SIGCONT)
    told = answer.result()
    assert told is not None
    assert told.status == 202
    # Whether it was taken is told by the receipt alone.
    system.wait_for_state(outbox_id, "delivered")
    assert system.events(outbox_id) == ["submitting", "unknown", "delivered"]
    assert len(system.phones.taken_for(request["recipientPhoneNumber"])) == 1
    assert system.account("answered") == (-0.8, 0)
    system.check_money()


def test_frozen_in_the_middle_of_a_transaction_it_holds_up_the_others_for_seconds_only(
    system: System, both: tuple[System, Replica]
) -> None:
    _, replica = both
    system.messaging.start()
    system.rest.send("shared", messageId="before")
    with system.messaging_database.connected() as connection:
        # A transaction that records a message waits here, with the account locked, when its process falls asleep.
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE message IN EXCLUSIVE MODE")
        with sending(system.rest, sms("shared", messageId="in between")) as (asleep,):
            until("it waits within its transaction", lambda: is_recording(system))
            system.messaging.signal(signal.SIGSTOP)
            until("it sleeps", lambda: is_frozen(system))
            connection.execute("ROLLBACK")
            # Not before the database ends the transaction of the sleeper: a caller waits half a minute at most.
            assert replica.rest.send("shared", messageId="beside").entry["status"] == "sent"
            system.messaging.signal(signal.SIGCONT)
    told = asleep.result()
    assert told is not None
    assert told.entry["status"] == "sent"
    assert system.account("shared")[0] == pytest.approx(-2.4)
    system.check_money()


def test_frozen_with_scheduled_ones_the_other_replica_sends_them(system: System, both: tuple[System, Replica]) -> None:
    _, replica = both
    system.messaging.start()
    system.messaging.signal(signal.SIGSTOP)
    until("it sleeps", lambda: is_frozen(system))
    entry = replica.rest.send("due", scheduleTimestamp="2024-12-20T12:00:00Z").entry
    assert entry["status"] == "sent"
    system.messaging.signal(signal.SIGCONT)
    system.wait_for_state(entry["outboxId"], "delivered")
    assert len(system.phones.taken_for(entry["recipientPhoneNumber"])) == 1
    system.check_money()
