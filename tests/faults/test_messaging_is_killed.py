"""SIGKILL of messaging at each point of a send: nothing lost, nothing sent twice, the right money."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.faults.callers import Callers, check_every_promise, is_sent, post, sending
from tests.system.effort import IS_LONG
from tests.system.fixtures import NewSystem
from tests.system.rest import SEND, TEXT, Answer, sms
from tests.system.running import System
from tests.system.waiting import until

CRASHING = [str(Path(__file__).with_name("crashing_messaging.py"))]
NO_RECEIPT = "+254700000007"
SLOW = f"{TEXT} [sandbox:slow]"


@pytest.fixture(scope="module")
def running(new_system: NewSystem) -> System:
    """A system without messaging; a unit costs 0.8 KES."""
    system = new_system(
        SMS_LEASE_S="1", SMS_LEASE_MARGIN_S="0.2", SANDBOX_SLOW_ANSWER_S="60", GATEWAY_OUTCOME_WAIT_S="1.5"
    )
    system.start(without_messaging=True)
    system.rest.set_cost("DirectCustomer", 0.8)
    return system


@pytest.fixture
def system(running: System) -> Iterator[System]:
    yield running
    if running.messaging.is_running:
        running.messaging.kill()


def crash_at(system: System, point: str, request: dict[str, Any]) -> None:
    """Sends a message through a messaging service that dies at this point."""
    system.messaging.start(CRASHING, FAULT_AT=point, FAULT_SIGNAL="SIGKILL")
    assert_interrupted(post(system.rest, request))
    assert system.messaging.wait() == -signal.SIGKILL


def assert_interrupted(answer: Answer | None) -> None:
    """The caller is told that the outcome is open, and that a repetition is safe."""
    assert answer is not None
    assert (answer.status, answer.reason) == (503, "MESSAGING_INTERRUPTED")
    assert "repeat it with the same messageId" in answer.problem["detail"]


def on_record(system: System, user: str) -> dict[str, str]:
    """The outbox id of each message of an account, by its message id."""
    rows = system.messaging_database.rows("SELECT client_message_id, id FROM message WHERE account_id = %s", user)
    return {message_id: f"outbox_{row_id.hex}" for message_id, row_id in rows}


def assert_stored(answer: Answer, outbox_id: str) -> None:
    """The answer shows the stored entry, and did nothing."""
    assert answer.status in (200, 202)
    assert answer.headers["idempotent-replay"] == "true"
    assert answer.entry["outboxId"] == outbox_id


def test_killed_before_the_submit_it_is_never_sent_and_not_charged(system: System) -> None:
    request = sms("recorded", messageId="otp")
    crash_at(system, "recorded", request)
    outbox_id = on_record(system, "recorded")["otp"]
    assert system.account("recorded") == (0, 0.8)

    system.messaging.start(SMS_UNKNOWN_WINDOW_S="1")
    assert_stored(system.rest.post(SEND, request), outbox_id)
    system.wait_for_state(outbox_id, "expired")
    assert system.events(outbox_id) == ["submitting", "unknown", "expired"]
    assert system.phones.taken_for(request["recipientPhoneNumber"]) == []
    assert system.account("recorded") == (0, 0)
    assert_stored(system.rest.post(SEND, request), outbox_id)
    system.check_money()


def test_killed_while_the_carrier_has_it_a_receipt_settles_it(system: System) -> None:
    request = sms("submitted", messageId="otp", message=SLOW)
    system.messaging.start()
    with sending(system.rest, request) as (answer,):
        until("the carrier has it", lambda: system.phones.taken_for(request["recipientPhoneNumber"]))
        system.messaging.kill()
    assert_interrupted(answer.result())
    assert_settled_by_its_receipt(system, request)


def test_killed_after_the_answer_of_the_carrier_a_receipt_settles_it(system: System) -> None:
    request = sms("answered", messageId="otp")
    crash_at(system, "answered", request)
    assert_settled_by_its_receipt(system, request)


def assert_settled_by_its_receipt(system: System, request: dict[str, Any]) -> None:
    """A restart sends nothing again; the receipt that the carrier kept tells that the message was taken."""
    user = request["userId"]
    outbox_id = on_record(system, user)["otp"]
    assert system.account(user) == (0, 0.8)

    system.messaging.start()
    system.wait_for_state(outbox_id, "unknown")
    repeated = system.rest.post(SEND, request)
    assert_stored(repeated, outbox_id)
    assert (repeated.status, repeated.entry["status"]) == (202, "pending")
    assert system.account(user) == (0, 0.8)

    system.wait_for_state(outbox_id, "delivered")
    assert system.events(outbox_id) == ["submitting", "unknown", "delivered"]
    assert system.account(user) == (-0.8, 0)
    assert len(system.phones.taken_for(request["recipientPhoneNumber"])) == 1
    repeated = system.rest.post(SEND, request)
    assert_stored(repeated, outbox_id)
    assert repeated.entry["status"] == "sent"
    system.check_money()


def test_an_unknown_one_without_a_receipt_ends_with_its_window_and_is_not_charged(system: System) -> None:
    request = sms("no-receipt", messageId="otp", recipientPhoneNumber=NO_RECEIPT)
    crash_at(system, "answered", request)
    outbox_id = on_record(system, "no-receipt")["otp"]
    system.messaging.start(SMS_UNKNOWN_WINDOW_S="1")
    system.wait_for_state(outbox_id, "expired")
    entry = system.rest.entry(outbox_id)
    assert (entry["status"], entry["errorCode"]) == ("failed", "NO_OUTCOME_IN_TIME")
    assert system.account("no-receipt") == (0, 0)
    assert len(system.phones.taken_for(NO_RECEIPT)) == 1
    system.check_money()


def test_killed_after_the_record_of_the_outcome_only_the_answer_is_lost(system: System) -> None:
    request = sms("settled", messageId="otp")
    crash_at(system, "settled", request)
    outbox_id = on_record(system, "settled")["otp"]
    assert system.state(outbox_id) == "accepted"
    assert system.account("settled") == (-0.8, 0)

    system.messaging.start()
    repeated = system.rest.post(SEND, request)
    assert_stored(repeated, outbox_id)
    assert repeated.entry["status"] == "sent"
    system.wait_for_state(outbox_id, "delivered")
    assert system.events(outbox_id) == ["submitting", "accepted", "delivered"]
    assert system.account("settled") == (-0.8, 0)
    assert len(system.phones.taken_for(request["recipientPhoneNumber"])) == 1
    system.check_money()


def test_killed_in_the_middle_of_recording_a_batch_nothing_of_it_is_on_record(system: System) -> None:
    requests = [sms("batch", messageId=f"otp-{number}") for number in range(12)]
    system.messaging.start()
    with psycopg.connect(system.messaging_database.url) as connection:
        # Writers of messages wait for this lock, in the middle of their transaction.
        connection.execute("LOCK TABLE message IN SHARE MODE")
        with sending(system.rest, *requests) as answers:
            until("a batch is being recorded", lambda: is_recording(system))
            system.messaging.kill()
    assert {answer.status for future in answers if (answer := future.result())} == {503}
    until("the database has let go", lambda: not is_recording(system))
    assert on_record(system, "batch") == {}
    assert system.messaging_database.rows("SELECT key FROM idempotency WHERE account_id = 'batch'") == []
    assert system.account("batch") == (0, 0)

    system.messaging.start()
    with sending(system.rest, *requests) as answers:
        pass
    assert all(is_sent(answer.result()) for answer in answers)
    assert [len(system.phones.taken_for(request["recipientPhoneNumber"])) for request in requests] == [1] * 12
    assert system.account("batch") == (-9.6, 0)
    system.check_money()


def is_recording(system: System) -> bool:
    """Whether a transaction that has written other rows of a request waits for its turn to write messages."""
    query = """
        SELECT EXISTS (
            SELECT FROM pg_locks wanted JOIN pg_locks had ON had.pid = wanted.pid AND had.granted
            WHERE NOT wanted.granted AND wanted.relation = 'message'::regclass
                AND had.relation IN ('account'::regclass, 'idempotency'::regclass) AND had.mode = 'RowExclusiveLock'
        )
    """
    return bool(system.messaging_database.value(query))


def test_killed_while_it_records_the_outcome_it_has_promised_nothing(system: System) -> None:
    request = sms("settling", messageId="otp")
    system.messaging.start()
    with psycopg.connect(system.messaging_database.url) as connection:
        # Whoever charges waits for this lock, in the middle of the record of an acceptance.
        connection.execute("LOCK TABLE ledger_entry IN SHARE MODE")
        with sending(system.rest, request) as (answer,):
            until("the charge is being recorded", lambda: is_charging(system))
            assert not answer.done()
            system.messaging.kill()
    assert_interrupted(answer.result())
    until("the database has let go", lambda: not is_charging(system))

    # The statement may have outlived the process that sent it. Either way it ends the same.
    system.messaging.start()
    outbox_id = on_record(system, "settling")["otp"]
    system.wait_for_state(outbox_id, "delivered")
    assert_stored(system.rest.post(SEND, request), outbox_id)
    assert len(system.phones.taken_for(request["recipientPhoneNumber"])) == 1
    assert system.account("settling") == (-0.8, 0)
    system.check_money()


def is_charging(system: System) -> bool:
    """Whether a transaction waits for its turn to write the ledger."""
    query = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'ledger_entry'::regclass)"
    return bool(system.messaging_database.value(query))


def test_killed_between_two_parts_it_stays_unknown_although_one_part_is_delivered(system: System) -> None:
    # The carrier takes the first part and asks to wait with the second, for ever.
    text = f"{TEXT} ".ljust(153, "a") + "[sandbox:busy] and the rest of it"
    request = sms("parts", messageId="otp", message=text)
    phone = request["recipientPhoneNumber"]
    system.messaging.start()
    throttled = system.phones.stats()["throttled"]
    with sending(system.rest, request):
        until("the second part was put off", lambda: system.phones.stats()["throttled"] > throttled)
        system.messaging.kill()
    outbox_id = on_record(system, "parts")["otp"]

    system.messaging.start(SMS_UNKNOWN_WINDOW_S="3")
    known_parts = "SELECT count(*) FROM message_part WHERE message_id = %s::uuid AND state = 'delivered'"
    until(
        "the receipt of the first part came",
        lambda: system.messaging_database.value(known_parts, outbox_id.removeprefix("outbox_")) == 1,
    )
    assert system.state(outbox_id) == "unknown"
    assert system.account("parts") == (0, 1.6)
    system.wait_for_state(outbox_id, "expired")
    assert system.events(outbox_id) == ["submitting", "unknown", "expired"]
    assert system.account("parts") == (0, 0)
    assert [(part["part"], part["parts"]) for part in system.phones.taken_for(phone)] == [(1, 2)]
    assert_stored(system.rest.post(SEND, request), outbox_id)
    system.check_money()


@pytest.mark.parametrize("after", [3, 40, 150] if IS_LONG else [40])
def test_killed_under_load_no_promise_is_broken_and_repetitions_are_safe(system: System, after: int) -> None:
    system.messaging.start()
    with Callers(f"load-{after}", [system.rest]) as callers:
        until("some were sent", callers.has_sent(after))
        system.messaging.kill()
    promised = dict(callers.sent)
    check_every_promise(system, callers)

    system.messaging.start()
    until("no process owns a message any more", lambda: open_claims(system) == 0)
    unresolved = callers.repeat_open()
    check_every_promise(system, callers)
    assert promised.items() <= callers.sent.items()
    # What nobody can know stays open, at most one for each caller; it waits for its receipt.
    recorded = on_record(system, callers.user)
    assert set(unresolved) <= set(recorded)
    for message_id in unresolved:
        assert system.rest.entry(recorded[message_id])["deliveryState"] in {"unknown", "delivered"}
    until("what the carrier has is told by receipts", lambda: undecided_at_the_carrier(system, callers) == [])
    check_every_promise(system, callers)


def open_claims(system: System) -> int:
    """How many messages are owned by some process."""
    count: int = system.messaging_database.value("SELECT count(*) FROM dispatch WHERE state = 'submitting'")
    return count


def undecided_at_the_carrier(system: System, callers: Callers) -> list[str]:
    """Messages that the carrier took and that are not known to be sent."""
    states = dict(
        system.messaging_database.rows(
            "SELECT text, state FROM message WHERE account_id = %s AND state NOT IN ('accepted', 'delivered')",
            callers.user,
        )
    )
    return [part["text"] for part in system.phones.taken() if part["text"] in states]


def test_a_repetition_while_the_first_is_being_sent_sends_nothing(system: System) -> None:
    request = sms("twin", messageId="otp", message=SLOW)
    system.messaging.start(SMS_LEASE_S="30", SMS_LEASE_MARGIN_S="5")
    with sending(system.rest, request):
        until("the carrier has it", lambda: system.phones.taken_for(request["recipientPhoneNumber"]))
        answer = system.rest.post(SEND, request)
    assert_stored(answer, on_record(system, "twin")["otp"])
    assert (answer.status, answer.entry["deliveryState"]) == (202, "submitting")
    assert len(system.phones.taken_for(request["recipientPhoneNumber"])) == 1
