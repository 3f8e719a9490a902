"""Every JSON example of the published contract, byte for byte as printed, and its documented answer."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.doubles.gateway_doubles import at
from tests.integration.gateway.conftest import Running
from tukupay.sms.messaging.v1 import messaging_pb2 as messaging_pb
from tukupay.sms.pricing.v1 import pricing_pb2 as pricing_pb

JSON = {"content-type": "application/json"}

SPECIFIC_CUSTOMER = """{
"level": "SpecificCustomer",
"pricePerSms": 0.7,
"customerId": "cust123",
"appId": null,
"reason": "Custom pricing for high-volume customer",
"effectiveFrom": "2024-12-13T00:00:00Z",
"createdBy": "admin123"
}"""
DEFAULT_CUSTOMER = """{
"level": "DirectCustomer",
"pricePerSms": 0.8,
"appId": null,
"reason": "Default customer cost",
"effectiveFrom": "2024-12-13T00:00:00Z",
"createdBy": "admin123"
}"""
DISCOUNT = """{
"level": "SpecificCustomer",
"pricePerSms": 0.7,
"customerId": "cust456",
"reason": "Discount for high-volume usage",
"effectiveFrom": "2024-12-13T00:00:00Z",
"createdBy": "admin123"
}"""
HISTORY = """[
{
"costId": "cost001",
"level": "DirectCustomer",
"pricePerSms": 0.8,
"effectiveFrom": "2024-11-01T00:00:00Z",
"createdBy": "admin123"
},
{
"costId": "cost002",
"level": "SpecificCustomer",
"pricePerSms": 0.7,
"customerId": "cust123",
"effectiveFrom": "2024-12-01T00:00:00Z",
"createdBy": "user456"
}
]"""
SEND = """{
  "userId": "user123",
  "recipientPhoneNumber": "+254712345678",
  "message": "Your OTP is 123456. Please use this code to verify your account.",
  "senderId": "TUKUPAY",
  "messageName": "OTP Verification",
  "messageId": "msg123",
  "scheduleTimestamp": "2024-12-20T12:00:00Z",
  "priority": "normal",
  "tags": ["notification", "OTP"],
  "customData": {
    "purpose": "Account Verification",
    "linkedTransactionId": "txn789"
  }
}"""
SENT = """{
  "status": "success",
  "outboxEntry": {
    "outboxId": "outbox456",
    "userId": "user123",
    "recipientPhoneNumber": "+254712345678",
    "message": "Your OTP is 123456. Please use this code to verify your account.",
    "senderId": "TUKUPAY",
    "messageId": "msg123",
    "smsUnitsUsed": 1,
    "costPerUnit": 0.6,
    "totalCost": 0.6,
    "status": "sent",
    "timestamps": {
      "createdAt": "2024-12-15T08:00:00Z",
      "sentAt": "2024-12-15T08:01:00Z",
      "lastAttemptAt": null
    },
    "retryCount": 0,
    "tags": ["notification", "OTP"],
    "customData": {
      "purpose": "Account Verification",
      "linkedTransactionId": "txn789"
    }
  },
  "message": "SMS sent successfully."
}"""
RESEND = """{
  "outboxId": "outbox456"
}"""
RESENT = """{
  "status": "success",
  "message": "SMS resent successfully.",
  "updatedOutboxEntry": {
    "outboxId": "outbox456",
    "status": "sent",
    "timestamps": {
      "createdAt": "2024-12-15T08:00:00Z",
      "sentAt": "2024-12-15T08:05:00Z",
      "lastAttemptAt": "2024-12-15T08:05:00Z"
    },
    "retryCount": 1
  }
}"""


def exactly(text: str) -> Any:
    """JSON with its numbers as they are written and its members in order."""
    return json.loads(text, parse_float=Decimal, object_pairs_hook=list)


def members(text: str) -> dict[str, Any]:
    return json.loads(text, parse_float=Decimal)  # type: ignore[no-any-return]  # an object, as printed above


@pytest.mark.parametrize("body", [SPECIFIC_CUSTOMER, DEFAULT_CUSTOMER, DISCOUNT])
async def test_a_cost_is_recorded_as_documented(running: Running, body: str) -> None:
    response = await running.http.post("/api/sms-costs", content=body, headers=JSON)
    assert response.status_code == 201
    given = {name: value for name, value in members(body).items() if value is not None}
    assert members(response.text) == {
        "costId": "cost_1",
        **given,
        "recordedAt": "2024-12-12T09:30:00.250000Z",
        "revision": 1,
    }
    request: pricing_pb.SetCostRequest = running.pricing.request
    assert request.price_micros == given["pricePerSms"] * 1_000_000
    assert request.effective_from == at("2024-12-13T00:00:00Z")
    assert not request.HasField("app_id")
    assert request.HasField("customer_id") == ("customerId" in given)


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        (
            pricing_pb.Cost(level=pricing_pb.COST_LEVEL_SPECIFIC_CUSTOMER, price_micros=700_000, customer_id="cust123"),
            '{"level":"SpecificCustomer","pricePerSms":0.7,"customerId":"cust123","effectiveFrom":"2024-12-13T00:00:00Z"}',
        ),
        (
            pricing_pb.Cost(level=pricing_pb.COST_LEVEL_DIRECT_CUSTOMER, price_micros=800_000),
            '{"level":"DirectCustomer","pricePerSms":0.8,"effectiveFrom":"2024-12-13T00:00:00Z"}',
        ),
    ],
)
async def test_the_current_cost_is_answered_as_documented(running: Running, row: pricing_pb.Cost, answer: str) -> None:
    row.effective_from.CopyFrom(at("2024-12-13T00:00:00Z"))
    # Fields that the route does not show.
    row.MergeFrom(pricing_pb.Cost(cost_id="cost_1", created_by="admin123", reason="Because", revision=1))
    running.pricing.will_answer("GetCurrentCost", pricing_pb.GetCurrentCostResponse(cost=row))
    response = await running.http.get("/api/sms-costs/current?level=SpecificCustomer&customerId=cust123")
    assert response.status_code == 200
    assert response.text == answer
    assert running.pricing.request == pricing_pb.GetCurrentCostRequest(
        level=pricing_pb.COST_LEVEL_SPECIFIC_CUSTOMER, customer_id="cust123"
    )


async def test_the_history_is_a_bare_array_as_documented(running: Running) -> None:
    rows = [
        pricing_pb.Cost(
            cost_id="cost001",
            level=pricing_pb.COST_LEVEL_DIRECT_CUSTOMER,
            price_micros=800_000,
            effective_from=at("2024-11-01T00:00:00Z"),
            created_by="admin123",
        ),
        pricing_pb.Cost(
            cost_id="cost002",
            level=pricing_pb.COST_LEVEL_SPECIFIC_CUSTOMER,
            price_micros=700_000,
            customer_id="cust123",
            effective_from=at("2024-12-01T00:00:00Z"),
            created_by="user456",
        ),
    ]
    running.pricing.will_answer("ListCosts", pricing_pb.ListCostsResponse(costs=rows))
    response = await running.http.get("/api/sms-costs/history?level=SpecificCustomer&customerId=cust123")
    assert response.status_code == 200
    assert exactly(response.text) == exactly(HISTORY)
    assert "link" not in response.headers


async def test_a_history_row_has_the_documented_fields_and_no_more(running: Running) -> None:
    row = pricing_pb.Cost(
        cost_id="cost001",
        level=pricing_pb.COST_LEVEL_APP_OWNER,
        price_micros=1_000_000,
        app_id="app1",
        reason="Reseller",
        effective_from=at("2024-11-01T00:00:00.5Z"),
        created_by="admin123",
        recorded_time=at("2024-11-01T00:00:00Z"),
        revision=2,
    )
    running.pricing.will_answer("ListCosts", pricing_pb.ListCostsResponse(costs=[row], next_page_token="t/+="))
    response = await running.http.get("/api/sms-costs/history?level=AppOwner&appId=app1&limit=1")
    assert response.text == (
        '[{"costId":"cost001","level":"AppOwner","pricePerSms":1.0,"appId":"app1",'
        '"effectiveFrom":"2024-11-01T00:00:00.500000Z","createdBy":"admin123"}]'
    )
    assert response.headers["link"] == (
        '</api/sms-costs/history?level=AppOwner&appId=app1&limit=1&pageToken=t%2F%2B%3D>; rel="next"'
    )
    assert running.pricing.request.page_size == 1
    await running.http.get(response.links["next"]["url"])
    assert running.pricing.requests[1].page_token == "t/+="
    assert running.pricing.requests[1].app_id == "app1"


async def test_a_send_is_answered_as_documented(running: Running) -> None:
    expected = members(SENT)

    def entry(item: messaging_pb.SendSmsRequest) -> messaging_pb.OutboxEntry:
        return messaging_pb.OutboxEntry(
            outbox_id="outbox456",
            user_id=item.user_id,
            recipient_phone_number=item.recipient_phone_number,
            message=item.message,
            sender_id=item.sender_id,
            message_id=item.message_id,
            sms_units_used=1,
            unit_price_micros=600_000,
            total_cost_micros=600_000,
            status=messaging_pb.SMS_STATUS_SENT,
            delivery_state=messaging_pb.DELIVERY_STATE_ACCEPTED,
            created_time=at("2024-12-15T08:00:00Z"),
            sent_time=at("2024-12-15T08:01:00Z"),
            tags=item.tags,
            custom_data_json=item.custom_data_json,
            # Fields that the route does not show.
            message_name=item.message_name,
            price_cost_id="cost_1",
            carrier="sandbox",
            billing_state=messaging_pb.BILLING_STATE_CHARGED,
            billing=messaging_pb.EntryBilling(charged_micros=600_000),
        )

    running.messaging.on_item = entry
    response = await running.http.post("/api/sms/send", content=SEND, headers=JSON)
    assert response.status_code == 200
    assert "idempotent-replay" not in response.headers
    # The two fields beside the documented ones; all others in their documented order.
    *documented, state, billing = dict(exactly(response.text))["outboxEntry"]
    assert (state, billing[0]) == (("deliveryState", "accepted"), "billing")
    answer = members(response.text)
    del answer["outboxEntry"]["deliveryState"], answer["outboxEntry"]["billing"]
    assert answer == expected
    assert list(answer) == list(expected)
    assert [name for name, _ in documented] == list(expected["outboxEntry"])
    assert '"costPerUnit":0.6,"totalCost":0.6,' in response.text


async def test_a_send_arrives_field_for_field(running: Running) -> None:
    response = await running.http.post("/api/sms/send", content=SEND, headers=JSON)
    item = running.messaging.item
    assert json.loads(item.custom_data_json) == {"purpose": "Account Verification", "linkedTransactionId": "txn789"}
    item.ClearField("custom_data_json")
    assert item.outcome_wait.ToTimedelta() == timedelta(seconds=5)
    item.ClearField("outcome_wait")
    assert item.request_id == response.headers["x-request-id"]
    item.ClearField("request_id")
    assert item == messaging_pb.SendSmsRequest(
        user_id="user123",
        recipient_phone_number="+254712345678",
        message="Your OTP is 123456. Please use this code to verify your account.",
        sender_id="TUKUPAY",
        message_name="OTP Verification",
        message_id="msg123",
        scheduled_time=at("2024-12-20T12:00:00Z"),
        priority=messaging_pb.PRIORITY_NORMAL,
        tags=["notification", "OTP"],
    )


async def test_a_resend_is_answered_as_documented(running: Running) -> None:
    response = await running.http.post("/api/sms/outbox/resend", content=RESEND, headers=JSON)
    assert response.status_code == 200
    answer = members(response.text)
    assert answer["updatedOutboxEntry"].pop("deliveryState") == "accepted"
    for beside in ("costPerUnit", "totalCost", "billing"):
        del answer["updatedOutboxEntry"][beside]
    assert answer == members(RESENT)
    assert list(answer) == list(members(RESENT))
    assert list(answer["updatedOutboxEntry"]) == list(members(RESENT)["updatedOutboxEntry"])
    assert running.messaging.request.outbox_id == "outbox456"
    assert running.messaging.request.outcome_wait.ToTimedelta() == timedelta(seconds=5)
