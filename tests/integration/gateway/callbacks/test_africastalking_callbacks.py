"""What Africa's Talking posts reaches the messaging service, and nobody else can post."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
import pytest
import structlog

from gateway_http.settings import REQUIRED, GatewaySettings
from service_kit.access import principal_messages
from service_kit.errors import Kind, ServiceError, Violation, invalid
from service_kit.settings import networks
from tests.doubles.callback_double import CallbackDouble
from tests.integration.gateway.conftest import ANY_PORT, Running, running_gateway
from tukupay.sms.messaging.v1 import carrier_callbacks_pb2 as pb

SECRET = "s3cret-s3cret-s3cret"
BASE = f"/carriers/africastalking/{SECRET}"
SETTINGS = GatewaySettings(http_address=ANY_PORT, africastalking_secrets=(("at", SECRET),))
REPORT = {
    "id": "ATXid_1",
    "status": "Failed",
    "phoneNumber": "+254711222333",
    "networkCode": "63902",
    "failureReason": "UserInactive",
    "retryCount": "2",
}
OPT_OUT = {"phoneNumber": "+254711222333", "senderId": "TUKUPAY"}
INBOUND = {"from": "+254711222333", "to": "22141", "text": "STOP é", "date": "2026-06-01 12:00:00", "id": "1"}
ROUTES = {"delivery-reports": REPORT, "opt-outs": OPT_OUT, "inbound": INBOUND}


@pytest.fixture
def callbacks() -> CallbackDouble:
    return CallbackDouble()


@pytest.fixture
async def gateway(callbacks: CallbackDouble) -> AsyncIterator[Running]:
    async with running_gateway(SETTINGS, callbacks) as running:
        yield running


async def test_a_delivery_report_is_handed_over_in_the_carriers_words(
    gateway: Running, callbacks: CallbackDouble
) -> None:
    response = await gateway.http.post(f"{BASE}/delivery-reports", data=REPORT, headers={"X-Request-Id": "r1"})
    assert (response.status_code, response.content) == (200, b"")
    assert callbacks.request == pb.IngestDeliveryReportRequest(
        carrier="at",
        carrier_message_id="ATXid_1",
        status="Failed",
        phone_number="+254711222333",
        network_code="63902",
        failure_reason="UserInactive",
        retry_count=2,
    )
    assert callbacks.metadata["x-request-id"] == "r1"


async def test_where_credentials_are_required_carriers_still_need_their_secret_alone(
    callbacks: CallbackDouble,
) -> None:
    """What they post, the gateway hands over as itself."""
    async with running_gateway(replace(SETTINGS, access=REQUIRED), callbacks) as gateway:
        for route, fields in ROUTES.items():
            assert (await gateway.http.post(f"{BASE}/{route}", data=fields)).status_code == 200
            assert principal_messages.METADATA_KEY not in callbacks.metadata
        foreign = BASE.replace(SECRET, SECRET.upper())
        response = await gateway.http.post(f"{foreign}/inbound", data=INBOUND)
        assert (response.status_code, response.json()["reason"]) == (404, "ROUTE_NOT_FOUND")


@pytest.mark.parametrize("retries", ["", "many", "-1", "9999999", "²"])
async def test_a_count_of_retries_that_is_none_is_left_out(
    gateway: Running, callbacks: CallbackDouble, retries: str
) -> None:
    fields = {"id": "ATXid_1", "status": "Success", "retryCount": retries}
    assert (await gateway.http.post(f"{BASE}/delivery-reports", data=fields)).status_code == 200
    assert callbacks.request == pb.IngestDeliveryReportRequest(
        carrier="at", carrier_message_id="ATXid_1", status="Success"
    )


async def test_an_opt_out_and_a_message_from_a_phone_are_handed_over(
    gateway: Running, callbacks: CallbackDouble
) -> None:
    assert (await gateway.http.post(f"{BASE}/opt-outs", data=OPT_OUT)).status_code == 200
    assert (await gateway.http.post(f"{BASE}/inbound", data=INBOUND)).status_code == 200
    assert callbacks.requests == [
        pb.IngestOptOutRequest(carrier="at", phone_number="+254711222333", sender_id="TUKUPAY"),
        pb.IngestInboundMessageRequest(carrier="at", phone_number="+254711222333", sender_id="22141", text="STOP é"),
    ]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_a_wrong_secret_is_a_path_like_any_that_leads_nowhere(
    gateway: Running, callbacks: CallbackDouble, route: str, method: str
) -> None:
    headers = {"X-Request-Id": "same"}
    nowhere = await gateway.http.request(method, "/nowhere", data=ROUTES[route], headers=headers)
    wrong = await gateway.http.request(
        method, f"/carriers/africastalking/{SECRET}x/{route}", data=ROUTES[route], headers=headers
    )
    assert (wrong.status_code, wrong.content) == (nowhere.status_code, nowhere.content)
    assert wrong.status_code == 404
    assert {*wrong.headers} == {*nowhere.headers}
    assert callbacks.requests == []


async def test_a_right_secret_from_an_address_that_is_not_allowed_leads_nowhere_too(callbacks: CallbackDouble) -> None:
    settings = replace(SETTINGS, africastalking_allow=networks("52.48.80.0/24"))
    with structlog.testing.capture_logs() as logs:
        async with running_gateway(settings, callbacks) as gateway:
            response = await gateway.http.post(f"{BASE}/delivery-reports", data=REPORT)
    assert response.status_code == 404
    assert callbacks.requests == []
    (refused,) = (entry for entry in logs if entry["event"] == "callbacks.address_refused")
    assert refused["address"] == "127.0.0.1"
    assert SECRET not in str(logs)


async def test_behind_a_trusted_proxy_the_address_that_it_names_counts(callbacks: CallbackDouble) -> None:
    settings = replace(SETTINGS, africastalking_allow=networks("52.48.80.0/24"), trusted_proxies=networks("127.0.0.1"))
    async with running_gateway(settings, callbacks) as gateway:
        for forwarded, status in (("52.48.80.7", 200), ("52.48.81.7", 404), ("52.48.80.7, 9.9.9.9", 404)):
            response = await gateway.http.post(
                f"{BASE}/delivery-reports", data=REPORT, headers={"X-Forwarded-For": forwarded}
            )
            assert response.status_code == status, forwarded
        assert (await gateway.http.post(f"{BASE}/delivery-reports", data=REPORT)).status_code == 404


async def test_without_secrets_there_are_no_such_routes(callbacks: CallbackDouble) -> None:
    async with running_gateway(None, callbacks) as gateway:
        assert (await gateway.http.post(f"{BASE}/delivery-reports", data=REPORT)).status_code == 404
    assert callbacks.requests == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_posts_are_taken(gateway: Running, method: str) -> None:
    response = await gateway.http.request(method, f"{BASE}/inbound")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("route", "missing"),
    [
        ("delivery-reports", "id"),
        ("delivery-reports", "status"),
        ("opt-outs", "phoneNumber"),
        ("opt-outs", "senderId"),
        ("inbound", "from"),
        ("inbound", "to"),
    ],
)
async def test_a_post_that_lacks_what_it_needs_is_named_and_not_asked_for_again(
    gateway: Running, callbacks: CallbackDouble, route: str, missing: str
) -> None:
    fields = {name: value for name, value in ROUTES[route].items() if name != missing}
    response = await gateway.http.post(f"{BASE}/{route}", data=fields)
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [missing]
    assert callbacks.requests == []


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "away"), 503),
        (ServiceError(Kind.OVERLOADED, "OVERLOADED", "full"), 503),
        (ServiceError(Kind.NOT_FOUND, "CARRIER_NOT_FOUND", "who"), 503),
        (grpc.StatusCode.UNAVAILABLE, 503),
        (grpc.StatusCode.INTERNAL, 503),
        (grpc.StatusCode.UNIMPLEMENTED, 503),
        (invalid([Violation("phone_number", "INVALID_PHONE_NUMBER", "is no phone number")]), 400),
    ],
    ids=str,
)
@pytest.mark.parametrize("route", ROUTES)
async def test_what_was_not_stored_is_asked_for_again(
    gateway: Running, callbacks: CallbackDouble, route: str, failure: Any, status: int
) -> None:
    for method in ("IngestDeliveryReport", "IngestOptOut", "IngestInboundMessage"):
        callbacks.will_answer(method, failure)
    with structlog.testing.capture_logs() as logs:
        response = await gateway.http.post(f"{BASE}/{route}", data=ROUTES[route])
    assert response.status_code == status
    assert SECRET not in str(logs)
    assert "254711222333" not in str(logs)
    if status == 503:
        assert response.headers["retry-after"] == "1"
        assert "/carriers/…" in str(logs)


async def test_a_messaging_service_that_is_gone_makes_the_carrier_bring_it_again(gateway: Running) -> None:
    await gateway.messaging_server.stop(0)
    response = await gateway.http.post(f"{BASE}/delivery-reports", data=REPORT)
    assert response.status_code == 503


async def test_bodies_are_forms_within_bounds(gateway: Running, callbacks: CallbackDouble) -> None:
    url = f"{BASE}/delivery-reports"
    assert (await gateway.http.post(url, json=REPORT)).status_code == 415
    assert (await gateway.http.post(url, data=REPORT | {"x": "y" * 70_000})).status_code == 413
    assert (await gateway.http.post(url, data={f"f{number}": "" for number in range(60)})).status_code == 400
    assert callbacks.requests == []
    odd = b"id=ATXid_1&status=%FF%00Odd&status=Success&id"
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert (await gateway.http.post(url, content=odd, headers=form)).status_code == 200
    assert callbacks.request.status == "\ufffd\x00Odd"
