"""Many SMS in one HTTP request: a result for each, as it would have been alone."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from gateway_http.settings import GatewaySettings
from gateway_http.sms.batch_routes import MAX_BODY_BYTES
from service_kit.errors import Kind, ServiceError, Violation, invalid
from tests.doubles.gateway_doubles import entry_of
from tests.integration.gateway.conftest import ANY_PORT, Running, running_gateway
from tests.integration.gateway.sms.test_sending import SMS
from tests.system.waiting import eventually
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

PATH = "/api/sms/send-batch"
DEADLINE_S = 10.0


def named(number: int, **fields: Any) -> dict[str, Any]:
    return SMS | {"messageId": f"m{number}"} | fields


async def send(running: Running, *messages: Any, key: str | None = None, **fields: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await running.http.post(PATH, json={"messages": messages, **fields}, headers=headers)


def charged(item: pb.SendSmsRequest) -> pb.OutboxEntry:
    """An entry of its own for each message id, charged 0.6 KES."""
    entry = entry_of(item)
    entry.outbox_id = f"outbox_{item.message_id}"
    entry.billing_state = pb.BILLING_STATE_CHARGED
    return entry


async def test_each_result_is_what_the_sms_alone_would_have_been_answered(running: Running) -> None:
    running.messaging.on_item = charged
    alone = (await running.http.post("/api/sms/send", json=named(0, tags=["x"]))).json()
    response = await send(running, named(0, tags=["x"]), named(1))
    assert response.status_code == 200
    answer = response.json()
    assert list(answer) == ["status", "message", "summary", "results"]
    assert (answer["status"], answer["message"]) == ("success", "2 SMS: 2 sent.")
    first, second = answer["results"]
    assert first == {"index": 0, "httpStatus": 200, "replayed": False} | alone
    assert (second["index"], second["outboxEntry"]["messageId"]) == (1, "m1")
    assert len(running.messaging.batches[-1].items) == 2
    assert '"totalCost":1.2' in response.text


async def test_one_at_fault_fails_alone_and_its_fields_are_named_by_their_place(running: Running) -> None:
    refused = invalid([Violation("recipient_phone_number", "INVALID_PHONE_NUMBER", "is not E.164; add +")])
    busy = ServiceError(Kind.OVERLOADED, "OVERLOADED", "busy; try again")
    answers = {"m3": refused, "m4": busy}
    running.messaging.on_item = lambda item: answers.get(item.message_id) or charged(item)
    response = await send(
        running, named(0), named(1, senderId=7, colour="red"), 5, named(3), named(4), named(5, scheduleTimestamp="soon")
    )
    assert (response.status_code, response.headers["retry-after"]) == (207, "1")
    answer = response.json()
    assert answer["status"] == "partial"
    assert answer["summary"] == {
        "messages": 6,
        "accepted": 1,
        "pending": 0,
        "failed": 0,
        "errors": 5,
        "replayed": 0,
        "totalCost": 0.6,
        "currency": "KES",
        "held": 0.0,
        "charged": 0.6,
        "refunded": 0.0,
    }
    assert [result["httpStatus"] for result in answer["results"]] == [200, 400, 400, 400, 429, 400]
    problems = [result.get("problem") for result in answer["results"]]
    faults = [[(fault["field"], fault["reason"]) for fault in problem["errors"]] for problem in problems if problem]
    assert faults == [
        [("messages[1].senderId", "WRONG_TYPE"), ("messages[1].colour", "UNKNOWN_FIELD")],
        [("messages[2]", "WRONG_TYPE")],
        [("messages[3].recipientPhoneNumber", "INVALID_PHONE_NUMBER")],
        [],
        [("messages[5].scheduleTimestamp", "INVALID_TIMESTAMP")],
    ]
    assert {problem["requestId"] for problem in problems if problem} == {response.headers["x-request-id"]}
    assert [item.message_id for item in running.messaging.batches[0].items] == ["m0", "m3", "m4"]


async def test_when_none_can_be_sent_messaging_is_not_asked(running: Running) -> None:
    response = await send(running, {}, named(1, message=None))
    assert (response.status_code, response.json()["status"]) == (207, "failed")
    assert response.json()["summary"]["totalCost"] == 0
    assert running.messaging.batches == []


async def test_pending_and_failed_ones_are_counted_and_money_counts_once_an_entry(running: Running) -> None:
    def outcome(item: pb.SendSmsRequest) -> pb.SendSmsResponse:
        entry = charged(item)
        if item.user_id == "later":
            entry.status, entry.delivery_state = pb.SMS_STATUS_PENDING, pb.DELIVERY_STATE_READY
            entry.billing_state = pb.BILLING_STATE_HELD
            entry.billing.CopyFrom(pb.EntryBilling(held_micros=600_000))
        if item.user_id == "refused":
            entry.status, entry.delivery_state = pb.SMS_STATUS_FAILED, pb.DELIVERY_STATE_REFUSED
            # Refused now, after an attempt that was charged and paid back.
            entry.billing_state = pb.BILLING_STATE_RELEASED
            entry.billing.CopyFrom(pb.EntryBilling(charged_micros=600_000, refunded_micros=600_000))
        return pb.SendSmsResponse(entry=entry, replayed=item.user_id == "again")

    running.messaging.on_item = outcome
    items = [named(0), named(1, userId="later"), named(2, userId="refused"), named(0, userId="again")]
    response = await send(running, *items)
    assert response.status_code == 202
    answer = response.json()
    assert (answer["status"], answer["message"]) == ("partial", "4 SMS: 2 sent, 1 pending, 1 failed.")
    assert [result["status"] for result in answer["results"]] == ["success", "success", "failed", "success"]
    assert [result["replayed"] for result in answer["results"]] == [False, False, False, True]
    summary = answer["summary"]
    assert [summary[name] for name in ("accepted", "pending", "failed", "errors", "replayed")] == [3, 1, 1, 0, 1]
    assert summary["totalCost"] == 1.2
    assert [summary[name] for name in ("held", "charged", "refunded")] == [0.6, 1.2, 0.6]


async def test_without_message_ids_the_key_makes_the_same_ones_each_time(running: Running) -> None:
    for _ in range(2):
        assert (await send(running, SMS, named(1), SMS, key="campaign 7")).status_code == 200
    await send(running, SMS, key="campaign 8")
    first, again, other = [[item.message_id for item in batch.items] for batch in running.messaging.batches]
    assert first == again
    assert (first[1], len({*first, *other})) == ("m1", 4)
    assert [first[0].rpartition("-")[2], first[2].rpartition("-")[2]] == ["0", "2"]
    assert all(len(message_id) <= 128 for message_id in first)


async def test_without_message_id_and_key_nothing_is_sent(running: Running) -> None:
    response = await send(running, named(0), SMS, SMS)
    assert (response.status_code, response.json()["reason"]) == (400, "INVALID_ARGUMENT")
    [fault] = response.json()["errors"]
    assert (fault["field"], fault["reason"]) == ("messages[1].messageId", "REQUIRED")
    assert "Idempotency-Key" in fault["detail"]
    assert running.messaging.batches == []


@pytest.mark.parametrize("key", ["", "k" * 129])
async def test_a_key_that_is_none_is_refused(running: Running, key: str) -> None:
    response = await send(running, SMS, key=key)
    assert [fault["field"] for fault in response.json()["errors"]] == ["Idempotency-Key"]
    assert running.messaging.batches == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, ("messages", "REQUIRED")),
        ({"messages": None}, ("messages", "REQUIRED")),
        ({"messages": {}}, ("messages", "WRONG_TYPE")),
        ({"messages": []}, ("messages", "BATCH_SIZE")),
        ({"messages": [{}] * 1_001}, ("messages", "BATCH_SIZE")),
        ({"messages": [SMS], "atomic": True}, ("atomic", "UNKNOWN_FIELD")),
    ],
    ids=["empty", "null", "object", "none", "too many", "unknown"],
)
async def test_a_request_that_is_no_batch_is_refused_as_a_whole(
    running: Running, body: dict[str, Any], fault: tuple[str, str]
) -> None:
    response = await running.http.post(PATH, json=body)
    assert response.status_code == 400
    assert [(one["field"], one["reason"]) for one in response.json()["errors"]] == [fault]


async def test_a_body_may_be_larger_than_that_of_one_sms_but_has_a_limit(running: Running) -> None:
    large = [named(number, customData={"note": "x" * 4_000}) for number in range(1_000)]
    assert (await send(running, *large)).status_code == 200
    too_large = await running.http.post(
        PATH, content=b" " * (MAX_BODY_BYTES + 1), headers={"Content-Type": "application/json"}
    )
    assert (too_large.status_code, too_large.json()["reason"]) == (413, "BODY_TOO_LARGE")
    assert str(MAX_BODY_BYTES) in too_large.json()["detail"]


async def test_text_that_is_no_utf_8_is_the_fault_of_its_sms(running: Running) -> None:
    good = b'{"userId":"u","recipientPhoneNumber":"+254712345678","message":"%s","senderId":"S","messageId":"1"}'
    body = b'{"messages":[%s,%s]}' % (good % b"Hello", good % b"\xff")
    response = await running.http.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 207
    results = response.json()["results"]
    assert results[0]["status"] == "success"
    assert [fault["reason"] for fault in results[1]["problem"]["errors"]] == ["INVALID_TEXT"]
    assert results[1]["problem"]["errors"][0]["field"].startswith("messages[1]")


async def test_a_call_that_breaks_halfway_leaves_open_only_what_was_not_answered(running: Running) -> None:
    running.messaging.held_back = {"late"}
    running.messaging.batch_failure = RuntimeError("SELECT secret FROM message")
    sending = asyncio.create_task(send(running, named(0), named(1, userId="late")))
    await running.messaging.batch_came.wait()
    running.messaging.release.set()
    response = await sending
    assert response.status_code == 207
    good, open_one = response.json()["results"]
    assert (good["status"], open_one["status"], open_one["httpStatus"]) == ("success", "error", 500)
    assert "the same messageId" in open_one["problem"]["detail"]
    assert "SELECT" not in response.text


async def test_messaging_that_is_away_fails_the_request_and_nothing_was_stored(running: Running) -> None:
    await running.messaging_server.grpc.stop(0)
    response = await send(running, named(0), named(1))
    assert (response.status_code, response.json()["reason"]) == (503, "MESSAGING_UNAVAILABLE")
    assert "nothing was stored or charged" in response.json()["detail"]


async def test_batches_beyond_the_bound_are_turned_away_and_lone_sends_go_on() -> None:
    settings = GatewaySettings(http_address=ANY_PORT, max_batches=1, max_outstanding_sends=1)
    async with running_gateway(settings) as running:
        running.messaging.held_back = {"slow"}
        first = asyncio.create_task(send(running, named(0, userId="slow"), named(1, userId="slow")))
        await running.messaging.batch_came.wait()
        turned_away = await send(running, named(2))
        assert (turned_away.status_code, turned_away.json()["reason"]) == (429, "OVERLOADED")
        assert turned_away.headers["retry-after"] == "1"
        assert (await running.http.post("/api/sms/send", json=SMS)).status_code == 200
        running.messaging.release.set()
        assert (await first).status_code == 200
        assert (await send(running, named(2))).status_code == 200


async def test_a_batch_that_fails_as_a_whole_gives_its_place_back() -> None:
    settings = GatewaySettings(http_address=ANY_PORT, max_batches=1)
    as_json = {"Content-Type": "application/json"}
    async with running_gateway(settings) as running:

        async def failed(status: int, **request: Any) -> None:
            for _ in range(2):
                assert (await running.http.post(PATH, **request)).status_code == status

        await failed(400, content=b"{", headers=as_json)
        await failed(400, json={"messages": []})
        await failed(400, json={"messages": [SMS]})
        await failed(400, params={"colour": "red"}, json={"messages": [named(0)]})
        await failed(413, content=b" " * (MAX_BODY_BYTES + 1), headers=as_json)
        await failed(415, content=b"messages=1", headers={"Content-Type": "application/x-www-form-urlencoded"})
        running.messaging.batch_failure = ServiceError(
            Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "no database; try again"
        )
        await failed(503, json={"messages": [named(0), named(1)]})
        running.messaging.batch_failure = None
        assert (await send(running, named(0), named(1))).status_code == 200


async def test_a_client_that_leaves_gives_its_place_back_and_its_sms_are_sent() -> None:
    settings = GatewaySettings(http_address=ANY_PORT, max_batches=1)
    async with running_gateway(settings) as running:
        running.messaging.held_back = {"leaving"}
        async with httpx.AsyncClient(base_url=str(running.http.base_url)) as http:
            leaving = asyncio.create_task(http.post(PATH, json={"messages": [named(0, userId="leaving")]}))
            await running.messaging.batch_came.wait()
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
        running.messaging.release.set()

        async def has_room() -> bool:
            return (await send(running, named(1))).status_code != 429

        await eventually("the place of the batch is free", has_room)
    assert [item.user_id for item in running.messaging.batches[0].items] == ["leaving"]
