"""Channels over REST."""

from __future__ import annotations

from typing import Any

import pytest

from service_kit.errors import Kind, ServiceError, Violation, invalid
from tests.doubles.channel_double import CHANNEL_ID, SHOWN, delivery
from tests.doubles.gateway_doubles import at
from tests.integration.gateway.conftest import Running
from tukupay.sms.messaging.v1 import channels_pb2 as pb

LIST = "/api/sms/alerts/channels"
ONE = f"{LIST}/{CHANNEL_ID}"
NEW = {"userId": "user123", "url": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#duty"}
CHANNEL = {
    "channelId": CHANNEL_ID,
    "userId": "user123",
    "kind": "service",
    "target": SHOWN,
    "events": ["balance.low"],
    "description": "",
    "enabled": True,
    "createdAt": "2024-12-15T08:00:00Z",
    "disabledReason": None,
    "failingSince": None,
}


async def test_a_channel_is_made_and_shown_without_its_secrets(running: Running) -> None:
    response = await running.http.post(LIST, json=NEW | {"description": None, "events": None})
    assert (response.status_code, response.json()) == (201, CHANNEL)
    assert running.channels.request == pb.CreateChannelRequest(user_id="user123", url=NEW["url"])
    assert (await running.http.get(ONE)).json() == CHANNEL
    assert (await running.http.get(LIST, params={"userId": "user123"})).json() == [CHANNEL]
    mailbox = {"userId": "user123", "email": "duty@example.com", "events": ["sms.failed"], "description": "duty"}
    assert (await running.http.post(LIST, json=mailbox)).json()["events"] == ["sms.failed"]
    assert running.channels.requests[-1] == pb.CreateChannelRequest(
        user_id="user123", email="duty@example.com", events=[pb.CHANNEL_EVENT_SMS_FAILED], description="duty"
    )


async def test_a_channel_is_changed_tested_and_deleted(running: Running) -> None:
    changed = await running.http.patch(ONE, json={"enabled": False, "events": ["sms.failed", "balance.low"]})
    assert (changed.status_code, changed.json()) == (200, CHANNEL)
    assert running.channels.request == pb.UpdateChannelRequest(
        channel_id=CHANNEL_ID,
        enabled=False,
        events=[pb.CHANNEL_EVENT_SMS_FAILED, pb.CHANNEL_EVENT_BALANCE_LOW],
    )
    tested = await running.http.post(f"{ONE}/test")
    assert (tested.status_code, tested.json()["event"], tested.json()["nextTryAt"]) == (202, "channel.test", None)
    deleted = await running.http.delete(ONE)
    assert (deleted.status_code, deleted.content) == (204, b"")


async def test_deliveries_have_filters_and_a_link_to_the_next_page(running: Running) -> None:
    failed = delivery(state=pb.CHANNEL_DELIVERY_STATE_FAILED, last_error="ADDRESS_REFUSED")
    page = pb.ListChannelDeliveriesResponse(deliveries=[failed], next_page_token="t/+=")
    running.channels.will_answer("ListChannelDeliveries", page)
    response = await running.http.get(
        f"{ONE}/deliveries", params={"state": "failed", "event": "balance.low", "limit": "1"}
    )
    (shown,) = response.json()
    assert (shown["state"], shown["lastStatus"], shown["lastError"]) == ("failed", None, "ADDRESS_REFUSED")
    asked = pb.ListChannelDeliveriesRequest(
        channel_id=CHANNEL_ID,
        state=pb.CHANNEL_DELIVERY_STATE_FAILED,
        event=pb.CHANNEL_EVENT_BALANCE_LOW,
        page_size=1,
    )
    assert running.channels.request == asked
    await running.http.get(response.links["next"]["url"])
    asked.page_token = "t/+="
    assert running.channels.requests[1] == asked


async def test_a_period_is_told_again(running: Running) -> None:
    body = {"from": "2024-12-15T00:00:00Z", "to": "2024-12-16T03:00:00+03:00"}
    response = await running.http.post(f"{ONE}/replay", json=body)
    assert (response.status_code, response.json()) == (202, {"replayed": 3})
    assert running.channels.request == pb.ReplayChannelDeliveriesRequest(
        channel_id=CHANNEL_ID, period_start=at("2024-12-15T00:00:00Z"), period_end=at("2024-12-16T00:00:00Z")
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "fields"),
    [
        ("POST", LIST, {}, ["userId"]),
        ("POST", LIST, NEW | {"events": []}, ["events"]),
        ("POST", LIST, NEW | {"events": ["channel.test"]}, ["events[0]"]),
        ("POST", LIST, NEW | {"events": ["sms.sent"]}, ["events[0]"]),
        ("POST", LIST, NEW | {"secret": "mine"}, ["secret"]),
        ("PATCH", ONE, {"events": []}, ["events"]),
        ("POST", f"{ONE}/replay", {"from": "noon", "to": "2024-12-16T00:00:00"}, ["from", "to"]),
    ],
)
async def test_a_body_at_fault_is_named_field_by_field(
    running: Running, method: str, path: str, body: dict[str, Any], fields: list[str]
) -> None:
    response = await running.http.request(method, path, json=body)
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == fields
    assert not running.channels.requests


async def test_what_the_service_refuses_is_a_problem_in_the_names_of_rest(running: Running) -> None:
    refusal = invalid([Violation("url", "INVALID_TARGET", "is no URL"), Violation("user_id", "REQUIRED", "is empty")])
    running.channels.will_answer("CreateChannel", refusal)
    response = await running.http.post(LIST, json=NEW)
    assert [error["field"] for error in response.json()["errors"]] == ["url", "userId"]
    missing = await running.http.get(f"{LIST}/nothing")
    assert (missing.status_code, missing.json()["reason"]) == (404, "CHANNEL_NOT_FOUND")
    running.channels.will_answer("CreateChannel", ServiceError(Kind.UNAVAILABLE, "CHANNELS_BUSY", "not just now"))
    busy = await running.http.post(LIST, json=NEW)
    assert (busy.status_code, busy.json()["reason"]) == (503, "CHANNELS_BUSY")
