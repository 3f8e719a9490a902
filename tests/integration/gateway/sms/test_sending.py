"""Sends, resends and the outbox over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from gateway_http.settings import GatewaySettings
from service_kit.errors import Kind, ServiceError, Violation, invalid
from tests.doubles.gateway_doubles import ENTRY_ID, at, entry_of
from tests.integration.gateway.conftest import ANY_PORT, Running, running_gateway
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

SMS: dict[str, Any] = {
    "userId": "user123",
    "recipientPhoneNumber": "+254712345678",
    "message": "Your parcel has arrived.",
    "senderId": "TUKUPAY",
}
DEADLINE_S = 10.0


async def send(running: Running, **fields: Any) -> httpx.Response:
    return await running.http.post("/api/sms/send", json=SMS | fields)


async def test_what_was_not_given_is_not_sent_on_and_not_shown(running: Running) -> None:
    response = await send(running)
    entry = response.json()["outboxEntry"]
    assert entry["tags"] == []
    assert "customData" not in entry
    for absent in ("errorDetails", "errorAdvice", "resendable", "carrierErrorCode", "deliveredAt", "expiresAt"):
        assert absent not in entry
    item = running.messaging.item
    for field in ("message_name", "message_id", "custom_data_json", "app_id", "scheduled_time", "expires_time"):
        assert not item.HasField(field)
    assert item.priority == pb.PRIORITY_UNSPECIFIED


async def test_until_when_an_sms_is_wanted_is_passed_on_and_shown(running: Running) -> None:
    def failed(item: pb.SendSmsRequest) -> pb.OutboxEntry:
        entry = entry_of(item)
        entry.status = pb.SMS_STATUS_FAILED
        entry.delivery_state = pb.DELIVERY_STATE_UNDELIVERED
        entry.error_code, entry.error_details = "NOT_DELIVERED", "It did not arrive. Resend later."
        entry.error_advice, entry.resend_advice = "Resend later.", pb.RESEND_ADVICE_LATER
        entry.carrier_error_code = "034"
        entry.expires_time.CopyFrom(item.expires_time)
        return entry

    running.messaging.on_item = failed
    entry = (await send(running, expiresAt="2030-01-01T03:00:00+03:00")).json()["outboxEntry"]
    assert running.messaging.item.expires_time == at("2030-01-01T00:00:00Z")
    assert entry["expiresAt"] == "2030-01-01T00:00:00Z"
    assert (entry["errorAdvice"], entry["resendable"], entry["carrierErrorCode"]) == ("Resend later.", "later", "034")


@pytest.mark.parametrize("instant", ["tomorrow", "2030-01-01T00:00:00"])
async def test_an_end_that_is_no_instant_is_refused_by_name(running: Running, instant: str) -> None:
    response = await send(running, expiresAt=instant)
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == ["expiresAt"]


async def test_a_scheduled_sms_is_accepted_and_pending(running: Running) -> None:
    def scheduled(item: pb.SendSmsRequest) -> pb.OutboxEntry:
        entry = entry_of(item)
        entry.status = pb.SMS_STATUS_PENDING
        entry.delivery_state = pb.DELIVERY_STATE_SCHEDULED
        entry.scheduled_time.CopyFrom(item.scheduled_time)
        entry.ClearField("sent_time")
        entry.ClearField("last_attempt_time")
        return entry

    running.messaging.on_item = scheduled
    response = await send(running, scheduleTimestamp="2030-01-01T03:00:00+03:00", priority="high")
    assert response.status_code == 202
    answer = response.json()
    assert (answer["status"], answer["message"]) == ("success", "SMS scheduled for 2030-01-01T00:00:00Z.")
    assert answer["outboxEntry"]["status"] == "pending"
    assert answer["outboxEntry"]["deliveryState"] == "scheduled"
    assert answer["outboxEntry"]["timestamps"] == {
        "createdAt": "2024-12-15T08:00:00Z",
        "sentAt": None,
        "lastAttemptAt": None,
    }
    assert running.messaging.item.priority == pb.PRIORITY_HIGH


async def test_a_refused_sms_is_answered_with_its_entry_and_the_reason(running: Running) -> None:
    def refused(item: pb.SendSmsRequest) -> pb.OutboxEntry:
        entry = entry_of(item)
        entry.status = pb.SMS_STATUS_FAILED
        entry.delivery_state = pb.DELIVERY_STATE_REFUSED
        entry.error_code = "INVALID_RECIPIENT"
        entry.error_details = "the carrier does not know the recipient; check the number"
        entry.ClearField("sent_time")
        return entry

    running.messaging.on_item = refused
    response = await send(running)
    assert response.status_code == 200
    answer = response.json()
    assert answer["status"] == "failed"
    assert answer["message"] == "SMS was not sent: the carrier does not know the recipient; check the number."
    entry = answer["outboxEntry"]
    assert list(entry)[11:14] == ["retryCount", "errorDetails", "errorCode"]
    assert (entry["status"], entry["deliveryState"]) == ("failed", "refused")
    assert entry["errorCode"] == "INVALID_RECIPIENT"


async def test_a_replay_is_answered_the_same_way_with_a_header(running: Running) -> None:
    first = await send(running, messageId="msg123")
    running.messaging.on_item = lambda item: pb.SendSmsResponse(entry=entry_of(item), replayed=True)
    again = await send(running, messageId="msg123")
    assert again.headers["idempotent-replay"] == "true"
    assert (again.status_code, again.text) == (first.status_code, first.text)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ServiceError(Kind.ALREADY_EXISTS, "MESSAGE_ID_REUSED", "another request; give a new message_id"), 409),
        (ServiceError(Kind.FAILED_PRECONDITION, "NO_PRICE", "no price; add one"), 409),
        (ServiceError(Kind.FAILED_PRECONDITION, "INSUFFICIENT_FUNDS", "balance 0; top up"), 402),
        (ServiceError(Kind.OVERLOADED, "OVERLOADED", "busy; try again"), 429),
        (ServiceError(Kind.UNAVAILABLE, "PRICING_UNAVAILABLE", "nothing was stored; try again"), 503),
        (invalid([Violation("recipient_phone_number", "INVALID_PHONE_NUMBER", "is not E.164; add +")]), 400),
    ],
)
async def test_one_bad_item_fails_alone(running: Running, error: ServiceError, status: int) -> None:
    running.messaging.on_item = lambda item: error if item.user_id == "bad" else entry_of(item)
    good, bad, also_good = await asyncio.gather(send(running), send(running, userId="bad"), send(running))
    assert (good.status_code, bad.status_code, also_good.status_code) == (200, status, 200)
    assert bad.headers["content-type"] == "application/problem+json"
    assert bad.json()["reason"] == error.reason
    assert ("retry-after" in bad.headers) == (status in {429, 503})
    assert [one["field"] for one in bad.json()["errors"]] == (["recipientPhoneNumber"] if status == 400 else [])


async def test_a_refusal_for_want_of_money_says_how_much_is_missing(running: Running) -> None:
    missing = {"account": "user123", "shortfall": "0.7", "currency": "KES"}
    running.messaging.on_item = lambda _: ServiceError(
        Kind.FAILED_PRECONDITION, "INSUFFICIENT_FUNDS", "the balance is short; top up", metadata=missing
    )
    response = await send(running)
    assert (response.status_code, response.json()["shortfall"]) == (402, 0.7)
    assert "shortfall" not in (await running.http.get("/api/sms/outbox/outbox_none")).json()


@pytest.mark.parametrize("batch", [False, True])
async def test_a_message_id_that_is_taken_leads_to_the_stored_entry(running: Running, batch: bool) -> None:
    running.messaging.on_item = lambda _: ServiceError(
        Kind.ALREADY_EXISTS,
        "MESSAGE_ID_REUSED",
        "this message id stands for the sms of user_id TUKUPAY",
        [Violation("recipient_phone_number", "DIFFERS", "differs")],
        metadata={"outbox_id": ENTRY_ID},
    )
    if batch:
        answer = await running.http.post("/api/sms/send-batch", json={"messages": [SMS | {"messageId": "msg123"}]})
        problem, place = answer.json()["results"][0]["problem"], "messages[0]."
    else:
        problem, place = (await send(running, messageId="msg123")).json(), ""
    assert (problem["status"], problem["reason"], problem["outboxId"]) == (409, "MESSAGE_ID_REUSED", ENTRY_ID)
    assert problem["detail"] == "this message id stands for the sms of user_id TUKUPAY"
    assert problem["errors"] == [{"field": f"{place}recipientPhoneNumber", "reason": "DIFFERS", "detail": "differs"}]


@pytest.mark.parametrize(
    ("prefer", "wait_ms"),
    [
        ("wait=2", 2_000),
        ("respond-async, Wait = 1 ;foo", 1_000),
        ('wait="0"', 0),
        ("wait=60", None),
        ("wait=99999999999999999999", None),
        ("wait=-1", None),
        ("await=1", None),
        ("", None),
    ],
)
async def test_a_caller_says_how_long_it_waits(running: Running, prefer: str, wait_ms: int | None) -> None:
    """None: as long as the gateway does for everybody."""
    (await send(running)).raise_for_status()
    usual_ms = running.messaging.item.outcome_wait.ToMilliseconds()
    running.messaging.forget()
    headers = {"Prefer": prefer}
    (await running.http.post("/api/sms/send", json=SMS, headers=headers)).raise_for_status()
    assert running.messaging.item.outcome_wait.ToMilliseconds() == (usual_ms if wait_ms is None else wait_ms)
    running.messaging.forget()
    batch = {"messages": [SMS | {"messageId": "m1"}]}
    (await running.http.post("/api/sms/send-batch", json=batch, headers=headers)).raise_for_status()
    assert running.messaging.item.outcome_wait.ToMilliseconds() == (usual_ms if wait_ms is None else wait_ms)
    running.messaging.forget()
    (await running.http.post("/api/sms/outbox/resend", json={"outboxId": ENTRY_ID}, headers=headers)).raise_for_status()
    assert running.messaging.request.outcome_wait.ToMilliseconds() == (usual_ms if wait_ms is None else wait_ms)


async def test_concurrent_sends_travel_in_few_batches_and_each_gets_its_own_answer(running: Running) -> None:
    count = 200
    limits = httpx.Limits(max_connections=count)
    async with httpx.AsyncClient(base_url=str(running.http.base_url), limits=limits, timeout=20) as http:
        responses = await asyncio.gather(
            *(http.post("/api/sms/send", json=SMS | {"messageId": f"m{number}"}) for number in range(count))
        )
    assert [response.json()["outboxEntry"]["messageId"] for response in responses] == [
        f"m{number}" for number in range(count)
    ]
    assert sum(len(batch.items) for batch in running.messaging.batches) == count
    assert len(running.messaging.batches) < count / 2


async def test_a_lone_caller_makes_a_batch_of_one(running: Running) -> None:
    await send(running)
    await send(running)
    assert [len(batch.items) for batch in running.messaging.batches] == [1, 1]


async def test_a_slow_item_does_not_hold_back_the_others(running: Running) -> None:
    running.messaging.held_back = {"slow"}
    slow = asyncio.create_task(send(running, userId="slow"))
    await running.messaging.batch_came.wait()
    assert (await send(running, userId="quick")).status_code == 200
    assert not slow.done()
    running.messaging.release.set()
    assert (await slow).status_code == 200


async def test_a_stream_that_breaks_leaves_the_outcome_open(running: Running) -> None:
    running.messaging.held_back = {"late"}
    async with asyncio.timeout(DEADLINE_S):
        late = asyncio.create_task(send(running, userId="late"))
        await running.messaging.batch_came.wait()
        await running.messaging_server.grpc.stop(0)
        response = await late
    assert response.status_code == 503
    problem = response.json()
    assert problem["reason"] == "MESSAGING_INTERRUPTED"
    assert "may or may not have been recorded" in problem["detail"]
    assert "the same messageId" in problem["detail"]


async def test_a_client_that_leaves_does_not_stop_its_send(running: Running) -> None:
    running.messaging.held_back = {"leaving"}
    async with httpx.AsyncClient(base_url=str(running.http.base_url)) as http:
        leaving = asyncio.create_task(http.post("/api/sms/send", json=SMS | {"userId": "leaving"}))
        await running.messaging.batch_came.wait()
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    assert (await send(running, userId="staying")).status_code == 200
    assert [item.user_id for batch in running.messaging.batches for item in batch.items] == ["leaving", "staying"]


async def test_messaging_that_is_away_is_named_and_nothing_was_stored(running: Running) -> None:
    await running.messaging_server.grpc.stop(0)
    response = await send(running)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert response.json()["reason"] == "MESSAGING_UNAVAILABLE"
    assert "nothing was stored or charged" in response.json()["detail"]


async def test_messaging_that_does_not_answer_in_time_is_a_gateway_timeout() -> None:
    settings = GatewaySettings(http_address=ANY_PORT, outcome_wait_s=0.1, send_deadline_s=0.3)
    async with running_gateway(settings) as running:
        running.messaging.held_back = {"slow"}
        response = await send(running, userId="slow")
        assert response.status_code == 504
        assert response.json()["reason"] == "MESSAGING_TIMEOUT"
        assert running.messaging.item.outcome_wait.ToTimedelta().total_seconds() == 0.1


async def test_sends_beyond_the_bound_are_turned_away() -> None:
    settings = GatewaySettings(http_address=ANY_PORT, max_outstanding_sends=1)
    async with running_gateway(settings) as running:
        running.messaging.held_back = {"first"}
        first = asyncio.create_task(send(running, userId="first"))
        await running.messaging.batch_came.wait()
        turned_away = await send(running)
        assert (turned_away.status_code, turned_away.json()["reason"]) == (429, "OVERLOADED")
        assert turned_away.headers["retry-after"] == "1"
        running.messaging.release.set()
        assert (await first).status_code == 200


async def test_an_unexpected_failure_of_messaging_leaks_nothing(running: Running) -> None:
    running.messaging.batch_failure = RuntimeError("SELECT secret FROM message")
    response = await send(running)
    assert response.status_code == 500
    assert response.json()["reason"] == "INTERNAL"
    assert "SELECT" not in response.text
    assert "the same messageId" in response.json()["detail"]


async def test_a_failed_resend_carries_the_reason(running: Running) -> None:
    entry = pb.OutboxEntry(
        outbox_id=ENTRY_ID,
        status=pb.SMS_STATUS_FAILED,
        delivery_state=pb.DELIVERY_STATE_REFUSED,
        created_time=at("2024-12-15T08:00:00Z"),
        last_attempt_time=at("2024-12-15T08:05:00Z"),
        retry_count=2,
        error_code="INVALID_RECIPIENT",
        error_details="the carrier does not know the recipient; check the number",
        unit_price_micros=500_000,
        total_cost_micros=1_000_000,
        billing_state=pb.BILLING_STATE_RELEASED,
        billing=pb.EntryBilling(charged_micros=2_000_000, refunded_micros=1_000_000),
    )
    running.messaging.will_answer("ResendSms", pb.ResendSmsResponse(entry=entry))
    response = await running.http.post("/api/sms/outbox/resend", json={"outboxId": ENTRY_ID})
    assert response.status_code == 200
    assert response.json() == {
        "status": "failed",
        "message": "SMS was not resent: the carrier does not know the recipient; check the number.",
        "updatedOutboxEntry": {
            "outboxId": ENTRY_ID,
            "status": "failed",
            "timestamps": {
                "createdAt": "2024-12-15T08:00:00Z",
                "sentAt": None,
                "lastAttemptAt": "2024-12-15T08:05:00Z",
            },
            "retryCount": 2,
            "errorDetails": "the carrier does not know the recipient; check the number",
            "errorCode": "INVALID_RECIPIENT",
            "deliveryState": "refused",
            "costPerUnit": 0.5,
            "totalCost": 1.0,
            "billing": {"state": "released", "held": 0.0, "charged": 2.0, "refunded": 1.0},
        },
    }


@pytest.mark.parametrize(
    ("kind", "reason", "status"),
    [
        (Kind.NOT_FOUND, "OUTBOX_ENTRY_NOT_FOUND", 404),
        (Kind.FAILED_PRECONDITION, "NOT_FAILED", 409),
        (Kind.FAILED_PRECONDITION, "RETRY_LIMIT_REACHED", 409),
        (Kind.FAILED_PRECONDITION, "INSUFFICIENT_FUNDS", 402),
    ],
)
async def test_a_resend_that_is_not_possible_says_why(running: Running, kind: Kind, reason: str, status: int) -> None:
    running.messaging.will_answer("ResendSms", ServiceError(kind, reason, "why; what to do"))
    response = await running.http.post("/api/sms/outbox/resend", json={"outboxId": ENTRY_ID})
    assert (response.status_code, response.json()["reason"]) == (status, reason)


async def test_an_entry_can_be_looked_at(running: Running) -> None:
    response = await running.http.get(f"/api/sms/outbox/{ENTRY_ID}")
    assert response.status_code == 200
    assert response.json()["outboxId"] == ENTRY_ID
    missing = await running.http.get("/api/sms/outbox/outbox_none")
    assert (missing.status_code, missing.json()["reason"]) == (404, "OUTBOX_ENTRY_NOT_FOUND")
    assert missing.json()["detail"] == "no such entry; check the outbox id"


async def test_the_outbox_is_listed_by_pages(running: Running) -> None:
    page = pb.ListOutboxEntriesResponse(entries=[entry_of(pb.SendSmsRequest(user_id="u 1"))], next_page_token="next")
    running.messaging.will_answer("ListOutboxEntries", page)
    response = await running.http.get(
        "/api/sms/outbox", params={"userId": "u 1", "status": "sent", "tag": "OTP", "limit": "1"}
    )
    assert response.status_code == 200
    assert [entry["userId"] for entry in response.json()] == ["u 1"]
    assert running.messaging.request == pb.ListOutboxEntriesRequest(
        user_id="u 1", status=pb.SMS_STATUS_SENT, tag="OTP", page_size=1
    )
    await running.http.get(response.links["next"]["url"])
    assert running.messaging.requests[1] == pb.ListOutboxEntriesRequest(
        user_id="u 1", status=pb.SMS_STATUS_SENT, tag="OTP", page_size=1, page_token="next"
    )


@pytest.mark.parametrize("body", [None, {}])
async def test_an_entry_can_be_cancelled(running: Running, body: dict[str, Any] | None) -> None:
    response = await running.http.post(f"/api/sms/outbox/{ENTRY_ID}/cancel", json=body)
    assert response.status_code == 200
    answer = response.json()
    assert (answer["status"], answer["message"]) == ("success", "SMS cancelled.")
    assert answer["updatedOutboxEntry"]["deliveryState"] == "cancelled"


async def test_a_cancellation_that_comes_too_late_says_so(running: Running) -> None:
    error = ServiceError(Kind.FAILED_PRECONDITION, "NOT_CANCELLABLE", "it is with the carrier")
    running.messaging.will_answer("CancelSms", error)
    response = await running.http.post(f"/api/sms/outbox/{ENTRY_ID}/cancel")
    assert (response.status_code, response.json()["reason"]) == (409, "NOT_CANCELLABLE")
