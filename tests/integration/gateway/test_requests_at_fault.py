"""Requests at fault get a clear problem, and no service hears of them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import grpc
import pytest
import pytest_asyncio

from service_kit.errors import Kind, ServiceError
from tests.doubles.gateway_doubles import at
from tests.integration.gateway.conftest import Running, running_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"content-type": "application/json"}
SEND, COSTS = "/api/sms/send", "/api/sms-costs"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_gateway() -> AsyncIterator[Running]:
    """One gateway for all tests here, none of which stops a part of it."""
    async with running_gateway() as everything:
        yield everything


@pytest.fixture
def running(shared_gateway: Running) -> Running:
    shared_gateway.pricing.forget()
    shared_gateway.messaging.forget()
    return shared_gateway


@pytest.mark.parametrize(
    ("method", "url", "headers", "body", "status", "reason"),
    [
        ("POST", SEND, JSON, b"{", 400, "MALFORMED_JSON"),
        ("POST", SEND, JSON, b"", 400, "MALFORMED_JSON"),
        ("POST", SEND, {}, b"", 400, "MALFORMED_JSON"),
        ("POST", SEND, JSON, b"{}", 400, "INVALID_ARGUMENT"),
        ("POST", SEND, JSON, b"x" * 65_537, 413, "BODY_TOO_LARGE"),
        ("POST", COSTS, JSON, b"x" * 65_537, 413, "BODY_TOO_LARGE"),
        ("POST", SEND, {"content-type": "text/plain"}, b"{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", COSTS, {"content-type": "application/x-www-form-urlencoded"}, b"a=b", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", SEND + "?dryRun=1", JSON, b"{}", 400, "INVALID_ARGUMENT"),
        ("POST", COSTS + "?x=1", JSON, b"{}", 400, "INVALID_ARGUMENT"),
        ("GET", SEND, {}, None, 405, "METHOD_NOT_ALLOWED"),
        ("PUT", COSTS, JSON, b"{}", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", COSTS + "/current", {}, None, 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/api/sms/outbox/resend", {}, None, 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/nowhere", {}, None, 404, "ROUTE_NOT_FOUND"),
        ("POST", SEND + "/", JSON, b"{}", 404, "ROUTE_NOT_FOUND"),
        ("GET", "/api/sms/../etc/passwd", {}, None, 404, "ROUTE_NOT_FOUND"),
        ("GET", COSTS + "/current", {}, None, 400, "INVALID_ARGUMENT"),
        ("GET", COSTS + "/current?level=Gold", {}, None, 400, "INVALID_ARGUMENT"),
        ("GET", COSTS + "/current?level=TukuPay&level=TukuPay", {}, None, 400, "INVALID_ARGUMENT"),
        ("GET", COSTS + "/history?level=TukuPay&limit=0", {}, None, 400, "INVALID_ARGUMENT"),
        ("GET", COSTS + "/history?level=TukuPay&page=2", {}, None, 400, "INVALID_ARGUMENT"),
        ("GET", "/api/sms/outbox", {}, None, 400, "INVALID_ARGUMENT"),
        ("GET", "/api/sms/outbox?userId=u&status=lost", {}, None, 400, "INVALID_ARGUMENT"),
        ("GET", "/healthz?verbose=1", {}, None, 400, "INVALID_ARGUMENT"),
    ],
)
async def test_a_request_at_fault_is_refused_before_any_service(
    running: Running, method: str, url: str, *, headers: dict[str, str], body: bytes | None, status: int, reason: str
) -> None:
    response = await running.http.request(method, url, headers=headers, content=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert list(problem) == ["type", "title", "status", "detail", "reason", "errors", "requestId"]
    assert (problem["status"], problem["reason"]) == (status, reason)
    assert problem["type"] == f"urn:tukupay:problem:{reason}"
    assert problem["requestId"] == response.headers["x-request-id"]
    assert (reason == "INVALID_ARGUMENT") == bool(problem["errors"])
    if status == 405:
        assert response.headers["allow"] in {"POST", "GET, HEAD"}
    assert running.messaging.batches == running.messaging.requests == running.pricing.requests == []


@pytest.mark.parametrize(
    ("method", "url", "allowed"),
    [
        ("GET", SEND, "POST"),
        ("PUT", COSTS, "POST"),
        ("DELETE", "/api/sms/webhooks", "GET, HEAD, POST"),
        ("PUT", "/api/sms/webhooks/webhook_1", "DELETE, GET, HEAD, PATCH"),
        ("POST", "/api/sms/alerts/rules", "GET, HEAD, PUT"),
    ],
)
async def test_a_wrong_method_is_answered_with_all_methods_of_the_path(
    running: Running, method: str, url: str, allowed: str
) -> None:
    response = await running.http.request(method, url)
    assert (response.status_code, response.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"isAdmin": True}, "isAdmin", "UNKNOWN_FIELD"),
        ({"status": "sent"}, "status", "UNKNOWN_FIELD"),
        ({"appId": "app1"}, "appId", "UNKNOWN_FIELD"),
        ({"userId": 7}, "userId", "WRONG_TYPE"),
        ({"recipientPhoneNumber": None}, "recipientPhoneNumber", "REQUIRED"),
        ({"priority": "urgent"}, "priority", "INVALID_VALUE"),
        ({"tags": "OTP"}, "tags", "WRONG_TYPE"),
        ({"tags": ["a", 1]}, "tags[1]", "WRONG_TYPE"),
        ({"customData": ["a"]}, "customData", "WRONG_TYPE"),
        ({"scheduleTimestamp": "2030-01-01T00:00:00"}, "scheduleTimestamp", "NAIVE_TIMESTAMP"),
        ({"scheduleTimestamp": "soon"}, "scheduleTimestamp", "INVALID_TIMESTAMP"),
        ({"scheduleTimestamp": 1734696000}, "scheduleTimestamp", "WRONG_TYPE"),
    ],
)
async def test_a_field_at_fault_is_named(running: Running, fields: dict[str, Any], field: str, reason: str) -> None:
    sms = {"userId": "u", "recipientPhoneNumber": "+254712345678", "message": "m", "senderId": "TUKUPAY"} | fields
    response = await running.http.post(SEND, json=sms)
    assert response.status_code == 400
    assert [(one["field"], one["reason"]) for one in response.json()["errors"]] == [(field, reason)]
    assert field in response.json()["detail"]
    assert running.messaging.batches == []


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        ('"0.7"', "WRONG_TYPE"),
        ("true", "WRONG_TYPE"),
        ("null", "REQUIRED"),
        ("0.0000001", "TOO_PRECISE"),
        ("1e400", "OUT_OF_RANGE"),
    ],
)
async def test_a_price_that_is_no_exact_amount_is_refused(running: Running, price: str, reason: str) -> None:
    body = (
        f'{{"level":"DirectCustomer","pricePerSms":{price},"effectiveFrom":"2024-12-13T00:00:00Z","createdBy":"admin"}}'
    )
    response = await running.http.post(COSTS, content=body, headers=JSON)
    assert response.status_code == 400
    assert [(one["field"], one["reason"]) for one in response.json()["errors"]] == [("pricePerSms", reason)]
    assert running.pricing.requests == []


async def test_nan_is_not_json(running: Running) -> None:
    response = await running.http.post(COSTS, content=b'{"pricePerSms": NaN}', headers=JSON)
    assert (response.status_code, response.json()["reason"]) == (400, "MALFORMED_JSON")


async def test_an_exact_price_arrives_exactly(running: Running) -> None:
    body = (
        '{"level":"DirectCustomer","pricePerSms":0.700001,"effectiveFrom":"2024-12-13T03:00:00.5+03:00",'
        '"createdBy":"admin"}'
    )
    response = await running.http.post(COSTS, content=body, headers=JSON)
    assert response.status_code == 201
    assert '"pricePerSms":0.700001' in response.text
    assert running.pricing.request.price_micros == 700_001
    assert running.pricing.request.effective_from == at("2024-12-13T00:00:00.5Z")


async def test_no_price_anywhere_is_not_found(running: Running) -> None:
    running.pricing.will_answer("GetCurrentCost", ServiceError(Kind.NOT_FOUND, "NO_PRICE", "no price; add one"))
    response = await running.http.get(COSTS + "/current?level=TukuPay")
    assert (response.status_code, response.json()["reason"]) == (404, "NO_PRICE")


@pytest.mark.parametrize(
    ("failure", "status", "reason"),
    [
        (RuntimeError("a bug with a secret"), 500, "INTERNAL"),
        (grpc.StatusCode.UNAVAILABLE, 503, "PRICING_INTERRUPTED"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 504, "PRICING_TIMEOUT"),
    ],
)
async def test_a_price_whose_recording_broke_off_is_not_said_to_be_lost(
    running: Running, failure: Exception | grpc.StatusCode, status: int, reason: str
) -> None:
    running.pricing.will_answer("SetCost", failure)
    body = {"level": "TukuPay", "pricePerSms": 1, "effectiveFrom": "2024-12-13T00:00:00Z", "createdBy": "a"}
    response = await running.http.post(COSTS, json=body)
    assert (response.status_code, response.json()["reason"]) == (status, reason)
    assert "may or may not have been recorded" in response.json()["detail"]
    assert "secret" not in response.text


@pytest.mark.parametrize("given", ["a", "3f0c-7", "A1._~:/+=@-", "x" * 128])
async def test_a_safe_request_id_is_kept_everywhere(running: Running, given: str) -> None:
    for url in (COSTS + "/current?level=TukuPay", "/healthz", "/nowhere"):
        response = await running.http.get(url, headers={"x-request-id": given})
        assert response.headers["x-request-id"] == given
    assert running.pricing.metadata["x-request-id"] == given
    sent = await running.http.post(SEND, json={}, headers={"x-request-id": given})
    assert sent.headers["x-request-id"] == sent.json()["requestId"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "<script>", 'a"b', "a;b"])
async def test_an_unsafe_request_id_is_replaced(running: Running, given: str) -> None:
    response = await running.http.get("/healthz", headers={"x-request-id": given})
    own = UUID(response.headers["x-request-id"])
    assert own.version == 7
    assert abs((own.int >> 80) / 1_000 - time.time()) < 60


@pytest.mark.parametrize("url", [SEND, COSTS, "/api/sms/send-batch"])
async def test_a_compressed_body_is_refused_with_what_is_taken(running: Running, url: str) -> None:
    for coding in ("gzip", "br", "identity, gzip"):
        response = await running.http.post(url, headers=JSON | {"content-encoding": coding}, content=b"{}")
        assert (response.status_code, response.json()["reason"]) == (415, "UNSUPPORTED_CONTENT_CODING")
        assert response.headers["accept-encoding"] == "identity"
    assert running.messaging.batches == []


async def test_a_field_that_is_given_twice_is_refused_whatever_its_first_value(running: Running) -> None:
    body = b'{"message":1,"userId":"u","recipientPhoneNumber":"+254712345678","senderId":"TUKUPAY","message":"hello"}'
    response = await running.http.post(SEND, headers=JSON, content=body)
    assert response.status_code == 400
    assert [(one["field"], one["reason"]) for one in response.json()["errors"]] == [("message", "REPEATED_FIELD")]
    assert "message" in response.json()["detail"]


async def test_a_body_with_a_mark_and_a_charset_is_read(running: Running) -> None:
    sms = b'\xef\xbb\xbf{"userId":"u","recipientPhoneNumber":"+254712345678","senderId":"TUKUPAY","message":"m"}'
    for content_type in ("application/json; charset=utf8", "application/json;charset=us-ascii"):
        response = await running.http.post(SEND, headers={"content-type": content_type}, content=sms)
        assert response.status_code == 200
