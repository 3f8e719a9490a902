"""The events of an entry over REST."""

from __future__ import annotations

import pytest

from service_kit.errors import Kind, ServiceError
from tests.doubles.gateway_doubles import ENTRY_ID, at
from tests.integration.gateway.conftest import Running
from tukupay.sms.common.v1 import access_pb2
from tukupay.sms.messaging.v1 import events_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

EVENTS = f"/api/sms/outbox/{ENTRY_ID}/events"


async def test_an_event_shows_what_an_app_may_know_and_no_more(running: Running) -> None:
    first = events_pb2.OutboxEvent(
        event_id=7_000_001,
        outbox_id=ENTRY_ID,
        user_id="user123",
        message_id="msg123",
        event_time=at("2024-12-15T08:00:00Z"),
        attempt=1,
        to_state=pb.DELIVERY_STATE_SUBMITTING,
        status=pb.SMS_STATUS_PENDING,
    )
    last = events_pb2.OutboxEvent(
        event_id=7_000_009,
        outbox_id=ENTRY_ID,
        user_id="user123",
        message_id="msg123",
        event_time=at("2024-12-15T08:00:00.25Z"),
        attempt=1,
        from_state=pb.DELIVERY_STATE_SUBMITTING,
        to_state=pb.DELIVERY_STATE_REFUSED,
        status=pb.SMS_STATUS_FAILED,
        carrier="sandbox",
        error_code="INVALID_RECIPIENT",
        error_details="Check the number.",
        carrier_error_code="034",
        next_try_time=at("2024-12-15T08:00:30Z"),
        mode=access_pb2.ACCESS_MODE_TEST,
    )
    running.messaging.will_answer("ListOutboxEvents", events_pb2.ListOutboxEventsResponse(events=[first, last]))
    response = await running.http.get(EVENTS)
    assert response.status_code == 200
    assert "link" not in response.headers
    # The ids rise with the traffic of everybody, so they stay inside.
    assert response.json() == [
        {
            "at": "2024-12-15T08:00:00Z",
            "attempt": 1,
            "fromState": None,
            "toState": "submitting",
            "status": "pending",
        },
        {
            "at": "2024-12-15T08:00:00.250000Z",
            "attempt": 1,
            "fromState": "submitting",
            "toState": "refused",
            "status": "failed",
            "carrier": "sandbox",
            "errorCode": "INVALID_RECIPIENT",
            "errorDetails": "Check the number.",
            "carrierErrorCode": "034",
            "nextTryAt": "2024-12-15T08:00:30Z",
            "mode": "test",
        },
    ]


async def test_the_link_leads_to_the_next_page(running: Running) -> None:
    running.messaging.will_answer("ListOutboxEvents", events_pb2.ListOutboxEventsResponse(next_page_token="t/+="))
    response = await running.http.get(EVENTS, params={"limit": "1"})
    assert running.messaging.request == events_pb2.ListOutboxEventsRequest(outbox_id=ENTRY_ID, page_size=1)
    await running.http.get(response.links["next"]["url"])
    assert running.messaging.requests[1] == events_pb2.ListOutboxEventsRequest(
        outbox_id=ENTRY_ID, page_size=1, page_token="t/+="
    )


async def test_an_entry_that_does_not_exist_has_no_events(running: Running) -> None:
    error = ServiceError(Kind.NOT_FOUND, "OUTBOX_ENTRY_NOT_FOUND", "there is no such entry; check the outbox_id")
    running.messaging.will_answer("ListOutboxEvents", error)
    response = await running.http.get("/api/sms/outbox/outbox_none/events")
    assert (response.status_code, response.json()["reason"]) == (404, "OUTBOX_ENTRY_NOT_FOUND")


@pytest.mark.parametrize(("name", "value"), [("limit", "501"), ("limit", "0"), ("status", "sent"), ("pageToken", "")])
async def test_a_parameter_at_fault_is_named(running: Running, name: str, value: str) -> None:
    response = await running.http.get(EVENTS, params={name: value})
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [name]
    assert running.messaging.requests == []
