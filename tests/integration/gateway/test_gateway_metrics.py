"""What the gateway exports moves with what it does, and is not to be had at its public address."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway_http.callbacks.africastalking_routes import REPORTS
from gateway_http.settings import GatewaySettings
from service_kit.metrics.exposition import metrics_served
from service_kit.settings import Address
from tests.doubles.gateway_doubles import ENTRY_ID
from tests.integration.gateway.conftest import ANY_PORT, Running, running_gateway
from tests.system.exposition import Figures, figures_at
from tests.system.ports import free_port
from tests.system.promql import Exported
from tests.system.waiting import eventually

SMS: dict[str, Any] = {
    "userId": "user123",
    "recipientPhoneNumber": "+254712345678",
    "message": "Your parcel has arrived.",
    "senderId": "TUKUPAY",
}
REQUESTS = "tukupay_http_requests_total"


async def figures_of(running: Running) -> Figures:
    port = free_port()
    async with metrics_served(Address("127.0.0.1", port), running.gateway.registry):
        return await figures_at(port)


async def test_counters_of_alerts_are_there_before_anything_happens(running: Running) -> None:
    assert Exported([await figures_of(running)]).first_faults_unseen() == []


async def test_requests_are_counted_by_documented_route_and_status_class(running: Running) -> None:
    await running.http.post("/api/sms/send", json=SMS)
    await running.http.post("/api/sms/send", json=SMS | {"userId": 7})
    await running.http.get(f"/api/sms/outbox/{ENTRY_ID}")
    await running.http.get(f"/api/sms/outbox/{ENTRY_ID}x")
    await running.http.delete("/api/sms/outbox")
    await running.http.get("/api/sms/outbox/+254712345678/secret")
    await running.http.request("PROPFIND", "/healthz")
    figures = await figures_of(running)
    assert figures(REQUESTS, method="POST", route="/api/sms/send", status_class="2xx") == 1
    assert figures(REQUESTS, method="POST", route="/api/sms/send", status_class="4xx") == 1
    assert figures(REQUESTS, method="GET", route="/api/sms/outbox/{outboxId}") == 2
    assert figures(REQUESTS, method="DELETE", route="/api/sms/outbox", status_class="4xx") == 1
    assert figures(REQUESTS, method="GET", route="none", status_class="4xx") == 1
    assert figures(REQUESTS, method="other", route="/healthz", status_class="4xx") == 1
    assert figures(REQUESTS) == 7
    assert figures("tukupay_http_request_seconds_count", route="/api/sms/send") == 2
    assert "254712345678" not in figures.text


async def test_batches_are_measured_and_a_full_gateway_says_so() -> None:
    settings = GatewaySettings(http_address=ANY_PORT, max_outstanding_sends=2)
    async with running_gateway(settings) as running:
        running.messaging.held_back = {"slow"}
        slow = [asyncio.ensure_future(running.http.post("/api/sms/send", json=SMS | {"userId": "slow"})) for _ in "ab"]

        async def both_wait() -> bool:
            return (await figures_of(running))("tukupay_sends_outstanding") == 2

        await eventually("both sends wait", both_wait)
        refused = await running.http.post("/api/sms/send", json=SMS)
        assert refused.status_code == 429
        running.messaging.release.set()
        assert [answer.status_code for answer in await asyncio.gather(*slow)] == [200, 200]
        figures = await figures_of(running)
    assert figures("tukupay_sends_turned_away_total") == 1
    assert figures("tukupay_sends_outstanding") == 0
    assert figures("tukupay_send_batch_items_sum") == 2
    batches = figures("tukupay_send_batch_items_count")
    assert 1 <= batches <= 2
    calls = {"method": "MessagingService/SendSmsBatch"}
    assert figures("tukupay_grpc_client_calls_total", code="OK", **calls) == batches
    assert figures("tukupay_grpc_client_call_seconds_count", **calls) == batches
    assert figures("tukupay_send_batch_wait_seconds_count") == batches


async def test_calls_to_the_services_are_counted_by_how_they_ended(running: Running) -> None:
    await running.http.get(f"/api/sms/outbox/{ENTRY_ID}")
    await running.http.get("/api/sms-costs/current?level=TukuPay")
    await running.messaging_server.stop(0)
    assert (await running.http.get(f"/api/sms/outbox/{ENTRY_ID}")).status_code == 503
    assert (await running.http.post("/api/sms/send", json=SMS)).status_code == 503
    figures = await figures_of(running)
    calls = "tukupay_grpc_client_calls_total"
    assert figures(calls, method="PricingService/GetCurrentCost") == 1
    assert figures(calls, method="MessagingService/GetOutboxEntry") == 2
    assert figures(calls, method="MessagingService/GetOutboxEntry", code="UNAVAILABLE") == 1
    assert figures(calls, method="MessagingService/SendSmsBatch", code="UNAVAILABLE") == 1


async def test_the_secret_of_a_callback_address_is_not_exported() -> None:
    secret = "canary-" + "0" * 40
    settings = GatewaySettings(http_address=ANY_PORT, africastalking_secrets=(("at", secret),))
    async with running_gateway(settings) as running:
        await running.http.post(REPORTS.format(secret=secret), data={"id": "x", "status": "Success"})
        await running.http.post(REPORTS.format(secret=secret + "1"), data={"id": "x", "status": "Success"})
        figures = await figures_of(running)
    assert figures(REQUESTS, method="POST", route=REPORTS) == 2
    assert "canary" not in figures.text


async def test_the_public_address_serves_no_metrics(running: Running) -> None:
    assert (await running.http.get("/metrics")).status_code == 404


async def test_every_metric_is_documented_and_every_documented_one_is_there(running: Running) -> None:
    await running.http.post("/api/sms/send", json=SMS)
    assert (await figures_of(running)).documented_wrongly("gateway") == []
