"""What a message would cost, over REST."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio

from service_kit.errors import Kind, ServiceError, Violation, invalid
from tests.doubles.gateway_doubles import at
from tests.integration.gateway.conftest import Running, running_gateway
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUOTE = "/api/sms/quote"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_gateway() -> AsyncIterator[Running]:
    """One gateway for all tests here, none of which stops a part of it."""
    async with running_gateway() as everything:
        yield everything


@pytest.fixture
def running(shared_gateway: Running) -> Running:
    shared_gateway.messaging.forget()
    return shared_gateway


async def test_a_quote_is_asked_for_field_for_field(running: Running) -> None:
    body = {
        "userId": "user123",
        "message": "Habari",
        "recipientPhoneNumber": "+254712345678",
        "senderId": "TUKUPAY",
        "scheduleTimestamp": "2024-12-20T15:00:00+03:00",
    }
    response = await running.http.post(QUOTE, json=body)
    assert response.status_code == 200
    assert response.text == (
        '{"encoding":"GSM-7","smsUnits":1,"parts":["Habari"],"costPerUnit":0.6,"totalCost":0.6,"currency":"KES",'
        '"level":"DirectCustomer","costId":"cost_1"}'
    )
    assert running.messaging.request == pb.QuoteSmsRequest(
        user_id="user123",
        message="Habari",
        recipient_phone_number="+254712345678",
        sender_id="TUKUPAY",
        scheduled_time=at("2024-12-20T12:00:00Z"),
    )
    assert running.messaging.metadata["x-request-id"] == response.headers["x-request-id"]
    assert running.messaging.batches == []


async def test_what_is_left_out_or_null_is_not_asked_about(running: Running) -> None:
    body = {"userId": "user123", "message": "Habari", "recipientPhoneNumber": None, "scheduleTimestamp": None}
    assert (await running.http.post(QUOTE, json=body)).status_code == 200
    assert running.messaging.request == pb.QuoteSmsRequest(user_id="user123", message="Habari")


async def test_advice_is_shown_with_the_text_and_what_it_saves(running: Running) -> None:
    running.messaging.will_answer(
        "QuoteSms",
        pb.QuoteSmsResponse(
            encoding=pb.ENCODING_UCS2,
            segments=["It’s…", "due"],
            unit_price_micros=1_000_000,
            total_cost_micros=2_000_000,
            price_level=pb.PRICE_LEVEL_SPECIFIC_CUSTOMER,
            price_cost_id="cost_7",
            gsm7_advice=pb.Gsm7Advice(
                unicode_characters=[
                    pb.UnicodeCharacter(
                        character="’",
                        code_point="U+2019",
                        name="RIGHT SINGLE QUOTATION MARK",
                        count=2,
                        replacement="'",
                    ),
                    pb.UnicodeCharacter(character="\u200b", code_point="U+200B", name="", count=1, replacement=""),
                ],
                text="It's...due",
                units=1,
                savings_micros=1_000_000,
            ),
        ),
    )
    response = await running.http.post(QUOTE, json={"userId": "u", "message": "m"})
    assert '"costPerUnit":1.0,"totalCost":2.0,' in response.text
    assert response.json()["advice"] == {
        "characters": [
            {
                "character": "’",
                "codePoint": "U+2019",
                "name": "RIGHT SINGLE QUOTATION MARK",
                "count": 2,
                "replacement": "'",
            },
            {"character": "\u200b", "codePoint": "U+200B", "name": "", "count": 1, "replacement": ""},
        ],
        "text": "It's...due",
        "smsUnits": 1,
        "saving": 1.0,
    }


async def test_advice_without_a_nearest_text_names_the_characters_only(running: Running) -> None:
    smile = pb.UnicodeCharacter(character="😀", code_point="U+1F600", name="GRINNING FACE", count=1)
    running.messaging.will_answer(
        "QuoteSms",
        pb.QuoteSmsResponse(
            encoding=pb.ENCODING_UCS2,
            segments=["😀"],
            price_level=pb.PRICE_LEVEL_TUKUPAY,
            gsm7_advice=pb.Gsm7Advice(unicode_characters=[smile]),
        ),
    )
    response = await running.http.post(QUOTE, json={"userId": "u", "message": "😀"})
    assert response.json()["advice"] == {
        "characters": [{"character": "😀", "codePoint": "U+1F600", "name": "GRINNING FACE", "count": 1}]
    }


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({}, {"userId": "REQUIRED", "message": "REQUIRED"}),
        ({"userId": "u", "message": "m", "appId": "a"}, {"appId": "UNKNOWN_FIELD"}),
        ({"userId": "u", "message": "m", "priority": "high"}, {"priority": "UNKNOWN_FIELD"}),
        (
            {"userId": "u", "message": "m", "scheduleTimestamp": "2024-12-20T12:00:00"},
            {"scheduleTimestamp": "NAIVE_TIMESTAMP"},
        ),
    ],
)
async def test_a_request_at_fault_does_not_reach_the_service(
    running: Running, body: dict[str, str], faults: dict[str, str]
) -> None:
    response = await running.http.post(QUOTE, json=body)
    assert response.status_code == 400
    assert {error["field"]: error["reason"] for error in response.json()["errors"]} == faults
    assert running.messaging.requests == []


async def test_what_the_service_finds_at_fault_is_named_as_the_caller_spelled_it(running: Running) -> None:
    found = [Violation("recipient_phone_number", "INVALID_PHONE_NUMBER", "is not in E.164")]
    running.messaging.will_answer("QuoteSms", invalid(found))
    response = await running.http.post(QUOTE, json={"userId": "u", "message": "m", "recipientPhoneNumber": "07"})
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "recipientPhoneNumber"


@pytest.mark.parametrize(
    ("failure", "status", "reason"),
    [
        (ServiceError(Kind.FAILED_PRECONDITION, "NO_PRICE", "no price"), 409, "NO_PRICE"),
        (ServiceError(Kind.UNAVAILABLE, "PRICING_UNAVAILABLE", "down"), 503, "PRICING_UNAVAILABLE"),
        (grpc.StatusCode.UNAVAILABLE, 503, "MESSAGING_UNAVAILABLE"),
    ],
)
async def test_a_quote_that_cannot_be_made_says_why(
    running: Running, failure: Exception | grpc.StatusCode, status: int, reason: str
) -> None:
    running.messaging.will_answer("QuoteSms", failure)
    response = await running.http.post(QUOTE, json={"userId": "u", "message": "m"})
    assert (response.status_code, response.json()["reason"]) == (status, reason)
