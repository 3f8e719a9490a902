"""Webhooks over REST."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from service_kit.errors import Violation, invalid
from tests.doubles.gateway_doubles import at
from tests.doubles.webhook_double import SECRET, WEBHOOK_ID, delivery
from tests.integration.gateway.conftest import Running
from tukupay.sms.messaging.v1 import webhooks_pb2 as pb

LIST = "/api/sms/webhooks"
ONE = f"{LIST}/{WEBHOOK_ID}"
NEW = {"userId": "user123", "url": "https://example.com/hooks", "events": ["sms.sent"]}
SHOWN = {
    "webhookId": WEBHOOK_ID,
    "userId": "user123",
    "url": "https://example.com/hooks",
    "events": ["sms.sent"],
    "description": "",
    "enabled": True,
    "createdAt": "2024-12-15T08:00:00Z",
    "previousSecretUntil": None,
    "disabledReason": None,
    "failingSince": None,
}


async def test_a_webhook_is_made_with_a_secret_that_is_shown_once(running: Running) -> None:
    response = await running.http.post(LIST, json=NEW | {"description": None})
    assert (response.status_code, response.json()) == (201, {"webhook": SHOWN, "secret": SECRET})
    assert running.webhooks.request == pb.CreateWebhookRequest(
        user_id="user123", url="https://example.com/hooks", events=[pb.WEBHOOK_EVENT_SMS_SENT]
    )
    assert (await running.http.get(ONE)).json() == SHOWN
    assert (await running.http.get(LIST, params={"userId": "user123"})).json() == [SHOWN]


async def test_a_webhook_is_changed_rotated_tested_and_deleted(running: Running) -> None:
    changed = await running.http.patch(ONE, json={"enabled": False, "events": ["sms.failed", "balance.low"]})
    assert changed.status_code == 200
    assert running.webhooks.request == pb.UpdateWebhookRequest(
        webhook_id=WEBHOOK_ID,
        enabled=False,
        events=[pb.WEBHOOK_EVENT_SMS_FAILED, pb.WEBHOOK_EVENT_BALANCE_LOW],
    )
    rotated = await running.http.post(f"{ONE}/rotate-secret", json={"overlapSeconds": 60})
    assert rotated.json() == {"webhook": SHOWN | {"previousSecretUntil": "2024-12-16T08:00:00Z"}, "secret": SECRET}
    assert running.webhooks.requests[-1] == pb.RotateWebhookSecretRequest(
        webhook_id=WEBHOOK_ID, overlap=Duration(seconds=60)
    )
    tested = await running.http.post(f"{ONE}/test")
    assert (tested.status_code, tested.json()["event"], tested.json()["nextTryAt"]) == (202, "webhook.test", None)
    deleted = await running.http.delete(ONE)
    assert (deleted.status_code, deleted.content) == (204, b"")


async def test_deliveries_have_filters_and_a_link_to_the_next_page(running: Running) -> None:
    failed = delivery(state=pb.WEBHOOK_DELIVERY_STATE_FAILED, last_status=500, last_error="ANSWERED_WITH_ERROR")
    page = pb.ListWebhookDeliveriesResponse(deliveries=[failed], next_page_token="t/+=")
    running.webhooks.will_answer("ListWebhookDeliveries", page)
    response = await running.http.get(
        f"{ONE}/deliveries", params={"state": "failed", "event": "sms.sent", "limit": "1"}
    )
    (shown,) = response.json()
    assert (shown["state"], shown["lastStatus"], shown["lastError"]) == ("failed", 500, "ANSWERED_WITH_ERROR")
    asked = pb.ListWebhookDeliveriesRequest(
        webhook_id=WEBHOOK_ID,
        state=pb.WEBHOOK_DELIVERY_STATE_FAILED,
        event=pb.WEBHOOK_EVENT_SMS_SENT,
        page_size=1,
    )
    assert running.webhooks.request == asked
    await running.http.get(response.links["next"]["url"])
    asked.page_token = "t/+="
    assert running.webhooks.requests[1] == asked


async def test_a_period_is_replayed(running: Running) -> None:
    body = {"from": "2024-12-15T00:00:00Z", "to": "2024-12-16T03:00:00+03:00", "includeDelivered": True}
    response = await running.http.post(f"{ONE}/replay", json=body)
    assert (response.status_code, response.json()) == (202, {"replayed": 3})
    assert running.webhooks.request == pb.ReplayWebhookDeliveriesRequest(
        webhook_id=WEBHOOK_ID,
        period_start=at("2024-12-15T00:00:00Z"),
        period_end=at("2024-12-16T00:00:00Z"),
        include_delivered=True,
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "fields"),
    [
        ("POST", LIST, {}, ["userId", "url", "events"]),
        ("POST", LIST, NEW | {"events": []}, ["events"]),
        ("POST", LIST, NEW | {"events": ["webhook.test"]}, ["events[0]"]),
        ("POST", LIST, NEW | {"secret": "mine"}, ["secret"]),
        ("PATCH", ONE, {"events": []}, ["events"]),
        ("POST", f"{ONE}/rotate-secret", {"overlapSeconds": -1}, ["overlapSeconds"]),
        (
            "POST",
            f"{ONE}/replay",
            {"from": "noon", "to": "2024-12-16T00:00:00"},
            ["from", "to"],
        ),
    ],
)
async def test_a_body_at_fault_is_named_field_by_field(
    running: Running, method: str, path: str, body: dict[str, Any], fields: list[str]
) -> None:
    response = await running.http.request(method, path, json=body)
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == fields
    assert not running.webhooks.requests


async def test_what_the_service_refuses_is_a_problem_in_the_names_of_rest(running: Running) -> None:
    running.webhooks.will_answer("CreateWebhook", invalid([Violation("user_id", "INVALID_IDENTIFIER", "is empty")]))
    response = await running.http.post(LIST, json=NEW)
    assert [error["field"] for error in response.json()["errors"]] == ["userId"]
    missing = await running.http.get(f"{LIST}/nothing")
    assert (missing.status_code, missing.json()["reason"]) == (404, "WEBHOOK_NOT_FOUND")
