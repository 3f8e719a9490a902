"""Many SMS in one HTTP request, from the body to the phones and the money."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.acceptance.test_send_over_http import REFUSED, in_future
from tests.system.rest import JSON, SEND_BATCH, TEXT, Answer, new_phone, sms
from tests.system.running import System
from tests.system.waiting import until

pytestmark = pytest.mark.timeout(120)


def post(system: System, messages: list[dict[str, Any]], key: str | None = None) -> Answer:
    headers = JSON if key is None else JSON | {"Idempotency-Key": key}
    return system.rest.request("POST", SEND_BATCH, json.dumps({"messages": messages}).encode(), headers)


def entries(answer: Answer) -> list[str]:
    return [result["outboxEntry"]["outboxId"] for result in answer.body["results"]]


def on_phones(system: System, messages: list[dict[str, Any]]) -> list[list[str]]:
    return [system.phones.shown_on(message["recipientPhoneNumber"]) for message in messages]


def test_a_thousand_sms_reach_their_phones_once_however_often_the_request_is_repeated(system: System) -> None:
    messages = [sms("batch-1000", message=f"{TEXT} Number {number}.") for number in range(1_000)]
    first = post(system, messages, key="thousand")
    assert first.status in {200, 202}, first.text[:1_000]
    assert first.body["status"] == "success"
    assert [result["index"] for result in first.body["results"]] == list(range(1_000))
    assert '"totalCost":800.0,"currency":"KES"' in first.text
    assert len(set(entries(first))) == 1_000
    until("all of them are charged", lambda: system.account("batch-1000") == (-800, 0))

    with ThreadPoolExecutor(2) as pool:
        again = list(pool.map(lambda _: post(system, messages, key="thousand"), range(2)))
    for answer in again:
        assert (answer.status, answer.body["summary"]["replayed"]) == (200, 1_000)
        assert entries(answer) == entries(first)
        assert answer.body["summary"]["totalCost"] == 800
    assert on_phones(system, messages[::97]) == [[message["message"]] for message in messages[::97]]
    ours = {message["recipientPhoneNumber"] for message in messages}
    assert sum(part["recipient"] in ours for part in system.phones.taken()) == 1_000
    assert system.account("batch-1000") == (-800, 0)
    system.check_money()


def test_the_same_request_twice_at_once_sends_each_sms_once(system: System) -> None:
    messages = [sms("batch-twins") for _ in range(50)]
    with ThreadPoolExecutor(2) as pool:
        left, right = pool.map(lambda _: post(system, messages, key="twins"), range(2))
    assert entries(left) == entries(right)
    assert left.body["summary"]["replayed"] + right.body["summary"]["replayed"] == 50
    assert on_phones(system, messages) == [[TEXT]] * 50
    assert system.account("batch-twins") == (-40, 0)


def test_bad_ones_fail_alone_and_are_sent_once_corrected(system: System) -> None:
    system.rest.set_cost("SpecificCustomer", 0.6, customerId="batch-mixed")
    good = [sms("batch-mixed", messageId=f"good-{number}") for number in range(3)]
    bad: list[dict[str, Any]] = [
        sms("batch-mixed", messageId="bad-0", recipientPhoneNumber="0712345678"),
        sms("batch-mixed", messageId="bad-1", senderId="!", tags=[""]),
        sms("batch-mixed", messageId="bad-2", colour="red"),
        sms("batch-mixed", messageId="good-0", message="Something else."),
    ]
    refused = sms("batch-mixed", messageId="refused", recipientPhoneNumber=REFUSED)
    scheduled = sms("batch-mixed", messageId="later", scheduleTimestamp=in_future(3_600))
    answer = post(system, [good[0], bad[0], bad[1], good[1], bad[2], bad[3], refused, scheduled, good[2]])
    assert (answer.status, answer.body["status"]) == (207, "partial")
    results = answer.body["results"]
    assert [result["httpStatus"] for result in results] == [200, 400, 400, 200, 400, 409, 200, 202, 200]
    assert [result["status"] for result in results][6:8] == ["failed", "success"]
    assert [result["problem"]["reason"] for result in results if "problem" in result] == [
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
        "MESSAGE_ID_REUSED",
    ]
    faults = [fault["field"] for result in results for fault in result.get("problem", {}).get("errors", [])]
    assert faults == [
        "messages[1].recipientPhoneNumber",
        "messages[2].senderId",
        "messages[2].tags[0]",
        "messages[4].colour",
        # These differ from the request that its message id stands for.
        "messages[5].recipientPhoneNumber",
        "messages[5].message",
    ]
    summary = answer.body["summary"]
    counts = [summary[name] for name in ("messages", "accepted", "pending", "failed", "errors", "replayed")]
    assert counts == [9, 4, 1, 1, 4, 0]
    # Three were sent and one is held; what failed costs nothing.
    assert summary["totalCost"] == 2.4
    assert system.account("batch-mixed") == (-1.8, 0.6)

    corrected = [sms("batch-mixed", messageId=f"bad-{number}") for number in range(3)]
    answer = post(system, [good[0], *corrected[:2], good[1], corrected[2], good[2]])
    assert (answer.status, answer.body["summary"]["replayed"]) == (200, 3)
    assert on_phones(system, good + corrected) == [[TEXT]] * 6
    assert system.account("batch-mixed") == (-3.6, 0.6)


def test_an_account_that_cannot_pay_for_all_pays_for_the_first_ones(system: System) -> None:
    system.messaging_database.run("INSERT INTO account (id, mode, posted) VALUES ('batch-prepaid', 'prepaid', 2.0)")
    system.messaging_database.run(
        "INSERT INTO ledger_entry (account_id, kind, amount, reference) "
        "VALUES ('batch-prepaid', 'top_up', 2.0, 'first')"
    )
    messages = [sms("batch-prepaid", messageId=f"paid-{number}") for number in range(4)]
    answer = post(system, messages)
    assert answer.status == 207
    assert [result["httpStatus"] for result in answer.body["results"]] == [200, 200, 402, 402]
    assert answer.body["summary"]["totalCost"] == 1.6
    assert system.account("batch-prepaid") == (0.4, 0)
    assert [len(shown) for shown in on_phones(system, messages)] == [1, 1, 0, 0]


@pytest.mark.parametrize("count", [0, 1_001])
def test_a_batch_of_another_size_sends_nothing(system: System, count: int) -> None:
    before = system.traces()
    phone = new_phone()
    answer = post(system, [sms("batch-size", recipientPhoneNumber=phone, messageId=f"{n}") for n in range(count)])
    assert (answer.status, answer.faults) == (400, [("messages", "BATCH_SIZE")])
    assert system.traces() == before


def test_too_large_a_body_and_an_unrepeatable_batch_send_nothing(system: System) -> None:
    before = system.traces()
    large = [sms("batch-large", messageId=f"{n}", customData={"note": "x" * 9_000}) for n in range(1_000)]
    answer = post(system, large)
    assert (answer.status, answer.reason) == (413, "BODY_TOO_LARGE")
    answer = post(system, [sms("batch-large", messageId="1"), sms("batch-large")])
    assert answer.faults == [("messages[1].messageId", "REQUIRED")]
    assert system.traces() == before
