"""What can be done with an entry afterwards: see, list, resend, cancel."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import grpc
import pytest

from tests.system.rest import OUTBOX, TEXT, new_phone
from tests.system.running import System
from tukupay.sms.messaging.v1 import accounts_pb2, accounts_pb2_grpc

REFUSED = "+254700000001"
UNDELIVERABLE = "+254700000008"
FREE = {"held": 0.0, "charged": 0.0, "refunded": 0.0}
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()


# Resend.


def test_a_failed_one_can_be_sent_again_on_the_same_entry(system: System) -> None:
    user, text = "resend", f"{TEXT} Again."
    entry = system.rest.send(user, recipientPhoneNumber=UNDELIVERABLE, message=text).entry
    system.wait_for_state(entry["outboxId"], "undelivered")
    answer = system.rest.resend(entry["outboxId"])
    assert (answer.status, answer.body["message"]) == (200, "SMS resent successfully.")
    assert (answer.entry["status"], answer.entry["retryCount"]) == ("sent", 1)
    assert answer.entry["timestamps"]["createdAt"] == entry["timestamps"]["createdAt"]
    system.wait_for_state(entry["outboxId"], "undelivered")
    taken = [part for part in system.phones.taken_for(UNDELIVERABLE) if part["text"] == text]
    assert len(taken) == 2
    # The carrier took it twice, so it is paid twice.
    assert system.account(user) == (-1.6, 0)


def test_a_resend_that_is_refused_again_is_failed_and_free(system: System) -> None:
    entry = system.rest.send("resend-refused", recipientPhoneNumber=REFUSED).entry
    answer = system.rest.resend(entry["outboxId"])
    assert (answer.status, answer.body["status"], answer.entry["retryCount"]) == (200, "failed", 1)
    assert answer.entry["errorCode"] == "INVALID_RECIPIENT"
    assert system.account("resend-refused") == (0, 0)


def test_what_an_outbox_shows_as_charged_and_refunded_is_what_its_ledger_has(system: System) -> None:
    user = "billing"
    shown = {"sent": system.rest.send(user).entry["billing"]}
    assert shown["sent"] == {"state": "charged", "held": 0.0, "charged": 0.8, "refunded": 0.0}
    entry = system.rest.send(user, recipientPhoneNumber=REFUSED).entry
    assert (entry["totalCost"], entry["billing"]) == (0.8, {"state": "released", **FREE})
    entry = system.rest.send(user, scheduleTimestamp=TOMORROW).entry
    assert entry["billing"] == {"state": "held", **FREE, "held": 0.8}
    refunded, twice = (system.rest.send(user, recipientPhoneNumber=UNDELIVERABLE).entry["outboxId"] for _ in range(2))
    for outbox_id in (refunded, twice):
        system.wait_for_state(outbox_id, "undelivered")
    refund(system, refunded)
    assert system.rest.entry(refunded)["billing"] == {"state": "refunded", "held": 0.0, "charged": 0.8, "refunded": 0.8}
    # A resend is charged at the price of its acceptance, once more; then the first charge is paid back.
    again = system.rest.resend(twice).entry
    assert (again["costPerUnit"], again["totalCost"]) == (0.8, 0.8)
    assert again["billing"] == {"state": "charged", "held": 0.0, "charged": 1.6, "refunded": 0.0}
    refund(system, twice, attempt=1)
    assert system.rest.entry(twice)["billing"] == {"state": "charged", "held": 0.0, "charged": 1.6, "refunded": 0.8}
    outbox = [entry["billing"] for entry in system.rest.get(OUTBOX, userId=user).body]
    net = sum(Decimal(str(each["charged"])) - Decimal(str(each["refunded"])) for each in outbox)
    posted, held = system.account(user)
    assert (float(-net), float(sum(Decimal(str(each["held"])) for each in outbox))) == (posted, held) == (-1.6, 0.8)


def refund(system: System, outbox_id: str, attempt: int | None = None) -> None:
    """What an operator does at the terminal."""
    with grpc.insecure_channel(system.messaging_address, options=(("grpc.enable_http_proxy", 0),)) as channel:
        request = accounts_pb2.RefundSmsRequest(
            outbox_id=outbox_id, reason="it never arrived", booked_by="wanjiru", attempt=attempt
        )
        accounts_pb2_grpc.AccountServiceStub(channel).RefundSms(request, timeout=20)


def test_the_number_of_resends_is_capped(system: System) -> None:
    entry = system.rest.send("resend-cap", recipientPhoneNumber=REFUSED).entry
    counts = [system.rest.resend(entry["outboxId"]).entry["retryCount"] for _ in range(3)]
    assert counts == [1, 2, 3]
    before = system.traces()
    answer = system.rest.resend(entry["outboxId"])
    assert (answer.status, answer.reason) == (409, "RETRY_LIMIT_REACHED")
    assert "at most 3 resends" in answer.problem["detail"]
    assert system.traces() == before
    assert system.rest.entry(entry["outboxId"])["retryCount"] == 3


def test_only_a_failed_one_can_be_sent_again(system: System) -> None:
    sent = system.rest.send("resend-sent").entry["outboxId"]
    scheduled = system.rest.send("resend-sent", scheduleTimestamp=TOMORROW).entry["outboxId"]
    before = system.traces()
    for outbox_id in (sent, scheduled):
        answer = system.rest.resend(outbox_id)
        assert (answer.status, answer.reason) == (409, "NOT_FAILED")
    assert system.traces() == before


@pytest.mark.parametrize("outbox_id", ["outbox_" + "0" * 32, "outbox456", "x" * 300])
def test_an_entry_that_does_not_exist_is_not_found(system: System, outbox_id: str) -> None:
    for answer in (
        system.rest.resend(outbox_id),
        system.rest.get(f"{OUTBOX}/{outbox_id}"),
        system.rest.get(f"{OUTBOX}/{outbox_id}/events"),
        system.rest.post(f"{OUTBOX}/{outbox_id}/cancel", {}),
    ):
        assert (answer.status, answer.reason) == (404, "OUTBOX_ENTRY_NOT_FOUND")


# Cancel.


def test_a_scheduled_one_can_be_cancelled_and_gives_its_money_back(system: System) -> None:
    phone = new_phone()
    entry = system.rest.send("cancel", scheduleTimestamp=TOMORROW, recipientPhoneNumber=phone).entry
    assert system.account("cancel") == (0, 0.8)
    answer = system.rest.post(f"{OUTBOX}/{entry['outboxId']}/cancel", {})
    assert (answer.status, answer.body["message"]) == (200, "SMS cancelled.")
    assert (answer.entry["status"], answer.entry["deliveryState"]) == ("failed", "cancelled")
    assert system.account("cancel") == (0, 0)
    assert system.phones.on(phone) == []

    again = system.rest.post(f"{OUTBOX}/{entry['outboxId']}/cancel", {})
    assert (again.status, again.reason) == (409, "NOT_CANCELLABLE")
    resent = system.rest.resend(entry["outboxId"])
    assert (resent.status, resent.reason) == (409, "CANCELLED")


def test_what_the_carrier_has_cannot_be_cancelled(system: System) -> None:
    entry = system.rest.send("cancel-sent").entry
    answer = system.rest.post(f"{OUTBOX}/{entry['outboxId']}/cancel", {})
    assert (answer.status, answer.reason) == (409, "NOT_CANCELLABLE")
    assert system.account("cancel-sent") == (-0.8, 0)


# See and list.


def test_the_list_is_newest_first_in_pages_that_link_to_the_next(system: System) -> None:
    sent = [system.rest.send("lister", messageId=f"m{number}").entry["outboxId"] for number in range(5)]
    listed: list[str] = []
    path: str | None = f"{OUTBOX}?userId=lister&limit=2"
    sizes = []
    while path:
        page = system.rest.get(path)
        assert page.status == 200
        listed += [entry["outboxId"] for entry in page.body]
        sizes.append(len(page.body))
        path = page.headers.get("link", "").partition(">")[0].removeprefix("<") or None
    assert listed == sent[::-1]
    assert sizes == [2, 2, 1]


def test_the_list_can_be_narrowed_to_a_status_or_a_tag(system: System) -> None:
    fine = system.rest.send("filter", tags=["OTP", "login"]).entry["outboxId"]
    failed = system.rest.send("filter", recipientPhoneNumber=REFUSED, tags=["login"]).entry["outboxId"]
    open_one = system.rest.send("filter", scheduleTimestamp=TOMORROW).entry["outboxId"]

    def listed(**wanted: str) -> list[str]:
        return [entry["outboxId"] for entry in system.rest.get(OUTBOX, userId="filter", **wanted).body]

    assert listed() == [open_one, failed, fine]
    assert listed(status="sent") == [fine]
    assert listed(status="failed") == [failed]
    assert listed(status="pending") == [open_one]
    assert listed(tag="login") == [failed, fine]
    assert listed(tag="login", status="sent") == [fine]
    assert listed(tag="nothing") == []


def test_the_events_of_an_entry_tell_its_story_in_pages_and_name_no_machine(system: System) -> None:
    entry = system.rest.send("story", recipientPhoneNumber=REFUSED).entry
    system.rest.resend(entry["outboxId"])
    told: list[dict[str, object]] = []
    path: str | None = f"{OUTBOX}/{entry['outboxId']}/events?limit=2"
    while path:
        page = system.rest.get(path)
        assert page.status == 200
        assert socket.gethostname() not in page.text
        told += page.body
        path = page.headers.get("link", "").partition(">")[0].removeprefix("<") or None
    assert [(event["attempt"], event["fromState"], event["toState"], event["status"]) for event in told] == [
        (1, None, "submitting", "pending"),
        (1, "submitting", "refused", "failed"),
        (2, "refused", "ready", "pending"),
        (2, "ready", "submitting", "pending"),
        (2, "submitting", "refused", "failed"),
    ]
    assert told[1]["errorCode"] == "INVALID_RECIPIENT"
    assert told[1]["errorDetails"]
    assert "errorCode" not in told[2]


def test_an_account_sees_its_own_entries_only(system: System) -> None:
    system.rest.send("mine")
    assert system.rest.get(OUTBOX, userId="somebody-else").text == "[]"
