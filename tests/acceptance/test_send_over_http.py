"""From an HTTP request to the phone, and to the money that it costs."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.system.fixtures import NewSystem
from tests.system.rest import JSON, SEND, TEXT, new_phone, sms
from tests.system.running import System

REFUSED = "+254700000001"
REJECTED = "+254700000002"
THROTTLED = "+254700000003"
SILENT = "+254700000006"
UNDELIVERABLE = "+254700000008"
EARLY_RECEIPT = "+254700000013"
RECEIPT_TWICE = "+254700000014"


def in_future(seconds: float) -> str:
    """RFC 3339, in the offset of Nairobi, as a client there would write it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds + 3 * 3_600)).replace(tzinfo=None).isoformat() + "+03:00"


# What reaches the phone.

GSM_TWO_PARTS = "^" + "a" * 151 + "^{" + "b" * 60
UCS2 = "Nambari yako ya siri ni 84210973 — usiipe mtu 😀 ключ"
UCS2_THREE_PARTS = "ж" * 66 + "😀" + "ж" * 66 + " 84210973"


@pytest.mark.parametrize(
    ("text", "units"),
    [
        (TEXT, 1),
        ("@£$¥ €[]~ Ünïcødé? é: Ääöñ 84210973 \n ok", 1),
        ("x" * 160, 1),
        (GSM_TWO_PARTS, 2),
        ("84210973 " * 100, 6),
        (UCS2, 1),
        (UCS2_THREE_PARTS, 3),
        ("🇰🇪" * 33, 2),
        ("a" * 1_530, 10),
    ],
    ids=["GSM", "mixed", "160", "escapes", "six", "UCS-2", "surrogates", "flags", "longest"],
)
def test_a_text_arrives_as_it_was_sent_and_costs_its_units(system: System, text: str, units: int) -> None:
    phone, user = new_phone(), f"texts-{units}-{len(text)}"
    answer = system.rest.send(user, message=text, recipientPhoneNumber=phone)
    assert (answer.status, answer.entry["status"], answer.entry["smsUnitsUsed"]) == (200, "sent", units)
    assert system.phones.shown_on(phone) == [text]
    assert [part["parts"] for part in system.phones.taken_for(phone)] == [units] * units
    assert answer.entry["totalCost"] == round(0.8 * units, 6)
    assert system.account(user) == (round(-0.8 * units, 6), 0)


@pytest.mark.parametrize("sender", ["TUKUPAY", "My Bank-1", "20880", "+254711000000"])
def test_the_phone_shows_the_sender(system: System, sender: str) -> None:
    phone = new_phone()
    assert system.rest.send("senders", senderId=sender, recipientPhoneNumber=phone).status == 200
    assert [message["sender"] for message in system.phones.on(phone)] == [sender.removeprefix("+")]


# What becomes of it.


def test_a_receipt_makes_it_delivered_and_it_stays_sent(system: System) -> None:
    entry = system.rest.send("delivered").entry
    system.wait_for_state(entry["outboxId"], "delivered")
    later = system.rest.entry(entry["outboxId"])
    assert (later["status"], later["deliveryState"]) == ("sent", "delivered")
    assert later["timestamps"] == entry["timestamps"]
    assert system.account("delivered") == (-0.8, 0)


@pytest.mark.parametrize("phone", [EARLY_RECEIPT, RECEIPT_TWICE])
def test_receipts_may_come_early_or_twice(system: System, phone: str) -> None:
    user = f"receipts-{phone[-2:]}"
    entry = system.rest.send(user, recipientPhoneNumber=phone).entry
    assert entry["status"] == "sent"
    system.wait_for_state(entry["outboxId"], "delivered")
    assert system.events(entry["outboxId"]) == ["submitting", "accepted", "delivered"]
    assert system.account(user) == (-0.8, 0)


def test_an_undeliverable_one_fails_later_and_says_why(system: System) -> None:
    answer = system.rest.send("undeliverable", recipientPhoneNumber=UNDELIVERABLE)
    assert (answer.status, answer.entry["status"]) == (200, "sent")
    system.wait_for_state(answer.entry["outboxId"], "undelivered")
    entry = system.rest.entry(answer.entry["outboxId"])
    assert (entry["status"], entry["deliveryState"], entry["errorCode"]) == ("failed", "undelivered", "NOT_DELIVERED")
    assert "did not reach the phone" in entry["errorDetails"]
    # The carrier took it and charges for it.
    assert system.account("undeliverable") == (-0.8, 0)


@pytest.mark.parametrize(
    ("phone", "code"), [(REFUSED, "INVALID_RECIPIENT"), (REJECTED, "REJECTED_BY_CARRIER")], ids=["refused", "rejected"]
)
def test_a_refused_number_is_answered_as_failed_and_not_charged(system: System, phone: str, code: str) -> None:
    user = f"refused-{phone[-2:]}"
    answer = system.rest.send(user, recipientPhoneNumber=phone)
    assert (answer.status, answer.body["status"]) == (200, "failed")
    assert answer.body["message"].startswith("SMS was not sent: ")
    entry = answer.entry
    assert (entry["status"], entry["deliveryState"], entry["errorCode"]) == ("failed", "refused", code)
    assert entry["errorDetails"]
    assert entry["timestamps"]["sentAt"] is None
    assert system.account(user) == (0, 0)
    assert system.phones.shown_on(phone) == []


def test_a_throttled_one_is_tried_again_until_it_is_sent(system: System) -> None:
    answer = system.rest.send("throttled", recipientPhoneNumber=THROTTLED, message=f"{TEXT} Throttled.")
    system.wait_for_state(answer.entry["outboxId"], "accepted", "delivered")
    assert len(system.phones.taken_for(THROTTLED)) == 1
    assert system.account("throttled") == (-0.8, 0)


# Schedules.


def test_a_past_schedule_is_due_now(system: System) -> None:
    phone = new_phone()
    answer = system.rest.send("past", scheduleTimestamp="2024-12-20T12:00:00Z", recipientPhoneNumber=phone)
    assert (answer.status, answer.entry["status"]) == (200, "sent")
    assert len(system.phones.shown_on(phone)) == 1


def test_a_scheduled_one_is_held_until_its_time_and_then_sent(system: System) -> None:
    phone = new_phone()
    due = in_future(1.5)
    answer = system.rest.send("scheduled", scheduleTimestamp=due, recipientPhoneNumber=phone)
    assert (answer.status, answer.body["status"], answer.entry["status"]) == (202, "success", "pending")
    assert answer.entry["deliveryState"] == "scheduled"
    assert answer.body["message"].startswith("SMS scheduled for 20")
    assert system.account("scheduled") == (0, 0.8)
    assert system.phones.on(phone) == []

    system.wait_for_state(answer.entry["outboxId"], "accepted", "delivered")
    entry = system.rest.entry(answer.entry["outboxId"])
    assert entry["status"] == "sent"
    sent_at, due_at = (datetime.fromisoformat(text) for text in (entry["timestamps"]["sentAt"], due))
    assert timedelta(0) <= sent_at - due_at < timedelta(seconds=1)
    assert system.phones.shown_on(phone) == [TEXT]
    assert system.account("scheduled") == (-0.8, 0)


def test_a_scheduled_one_keeps_the_price_of_its_acceptance(system: System) -> None:
    system.rest.set_cost("SpecificCustomer", 0.5, customerId="frozen")
    entry = system.rest.send("frozen", scheduleTimestamp=in_future(0.6)).entry
    system.rest.set_cost("SpecificCustomer", 0.9, customerId="frozen")
    system.wait_for_state(entry["outboxId"], "accepted", "delivered")
    assert system.rest.entry(entry["outboxId"])["totalCost"] == 0.5
    assert system.account("frozen") == (-0.5, 0)


# Repetitions.


def test_the_same_request_again_sends_and_charges_nothing(system: System) -> None:
    request = sms("replay", messageId="order-17", tags=["OTP"], customData={"b": 1.50, "a": [1, 2]})
    first = system.rest.post("/api/sms/send", request)
    again = [system.rest.post("/api/sms/send", request) for _ in range(3)]
    assert first.status == 200
    assert "idempotent-replay" not in first.headers
    for answer in again:
        assert (answer.status, answer.entry["outboxId"]) == (200, first.entry["outboxId"])
        assert answer.headers["idempotent-replay"] == "true"
        assert answer.entry["timestamps"] == first.entry["timestamps"]
    # Another spelling of the same request is the same request.
    spelled = request | {"customData": {"a": [1, 2], "b": 1.5}, "priority": "normal", "messageName": None}
    assert system.rest.post("/api/sms/send", spelled).headers["idempotent-replay"] == "true"
    assert len(system.phones.on(request["recipientPhoneNumber"])) == 1
    assert system.account("replay") == (-0.8, 0)


def test_a_message_id_may_not_stand_for_another_request(system: System) -> None:
    request = sms("reuse", messageId="order-18")
    first = system.rest.post("/api/sms/send", request)
    assert first.status == 200
    before = system.traces()
    for change in ({"message": TEXT + "!"}, {"recipientPhoneNumber": new_phone()}, {"tags": ["OTP"]}):
        answer = system.rest.post("/api/sms/send", request | change)
        assert (answer.status, answer.reason) == (409, "MESSAGE_ID_REUSED")
        assert answer.problem["outboxId"] == first.entry["outboxId"]
        assert [fault["field"] for fault in answer.problem["errors"]] == list(change)
    assert system.traces() == before
    assert system.account("reuse") == (-0.8, 0)


def test_another_account_may_use_the_same_message_id(system: System) -> None:
    entries = [system.rest.send(user, messageId="order-19").entry for user in ("first", "second")]
    assert len({entry["outboxId"] for entry in entries}) == 2
    assert [entry["messageId"] for entry in entries] == ["order-19", "order-19"]


def test_a_failed_one_is_not_sent_again_by_a_repetition(system: System) -> None:
    request = sms("failed-replay", messageId="order-20", recipientPhoneNumber=REFUSED)
    submits = [system.phones.stats()["submits"]]
    for _ in range(2):
        answer = system.rest.post("/api/sms/send", request)
        assert (answer.status, answer.body["status"]) == (200, "failed")
        submits.append(system.phones.stats()["submits"])
    assert submits[2] == submits[1] == submits[0] + 1


def test_a_silent_carrier_leaves_the_outcome_open_and_the_money_on_hold(new_system: NewSystem) -> None:
    system = new_system(SMPP_RESPONSE_TIMEOUT_S="0.3", SMS_UNKNOWN_WINDOW_S="1")
    system.start()
    system.rest.set_cost("DirectCustomer", 0.8)
    answer = system.rest.send("silent", recipientPhoneNumber=SILENT, messageId="order-21")
    assert (answer.status, answer.body["status"], answer.entry["status"]) == (202, "success", "pending")
    assert answer.entry["deliveryState"] == "unknown"
    assert system.account("silent") == (0, 0.8)
    system.wait_for_state(answer.entry["outboxId"], "expired")
    entry = system.rest.entry(answer.entry["outboxId"])
    assert (entry["status"], entry["errorCode"]) == ("failed", "NO_OUTCOME_IN_TIME")
    assert system.account("silent") == (0, 0)
    assert system.phones.stats()["submits"] == 1


def test_a_caller_that_says_how_long_it_waits_hears_of_its_sms_in_time(system: System) -> None:
    """The gateway waits 5 s for a carrier that never answers, unless it is asked for less."""
    request = json.dumps(sms("hasty", recipientPhoneNumber=SILENT, messageId="order-22")).encode()
    asked_at = time.monotonic()
    answer = system.rest.request("POST", SEND, request, {**JSON, "Prefer": "wait=1"})
    waited_s = time.monotonic() - asked_at
    assert (answer.status, answer.entry["status"]) == (202, "pending")
    assert 1 <= waited_s < 4.5
