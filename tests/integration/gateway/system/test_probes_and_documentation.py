"""Probes tell alive from ready, and the documentation needs no other host."""

from __future__ import annotations

import base64
import hashlib
import re

from tests.integration.gateway.conftest import Running


async def test_a_gateway_with_both_services_is_ready(running: Running) -> None:
    response = await running.http.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "parts": {"pricing": "serving", "messaging": "serving"}}


async def test_a_service_that_cannot_serve_is_named(running: Running) -> None:
    await running.pricing_server.set_serving(False)
    await running.messaging_server.grpc.stop(0)
    response = await running.http.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {
        "status": "not ready",
        "parts": {"pricing": "not serving", "messaging": "unreachable"},
    }
    alive = await running.http.get("/healthz")
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})


async def test_pricing_that_is_away_is_named(running: Running) -> None:
    await running.pricing_server.grpc.stop(0)
    response = await running.http.get("/api/sms-costs/current?level=TukuPay")
    assert (response.status_code, response.json()["reason"]) == (503, "PRICING_UNAVAILABLE")
    assert response.headers["retry-after"] == "1"


async def test_readiness_comes_back_with_the_service(running: Running) -> None:
    await running.pricing_server.set_serving(False)
    assert (await running.http.get("/readyz")).status_code == 503
    await running.pricing_server.set_serving(True)
    assert (await running.http.get("/readyz")).status_code == 200


async def test_the_document_is_served(running: Running) -> None:
    response = await running.http.get("/openapi.json")
    assert response.headers["content-type"] == "application/json"
    assert response.json()["openapi"] == "3.1.0"


async def test_the_bare_address_leads_to_the_page(running: Running) -> None:
    response = await running.http.get("/")
    assert (response.status_code, response.headers["location"]) == (307, "/docs")


async def test_the_page_runs_only_its_own_script(running: Running) -> None:
    response = await running.http.get("/docs")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        [block] = re.findall(rf"<{tag}>(.*?)</{tag}>", response.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert not re.search(r"\b(src|href)=\"(https?:)?//", response.text)


async def test_head_is_answered_without_a_body(running: Running) -> None:
    response = await running.http.head("/healthz")
    assert (response.status_code, response.content) == (200, b"")


async def test_no_other_origin_is_let_in(running: Running) -> None:
    response = await running.http.get("/healthz", headers={"origin": "https://elsewhere.example"})
    assert not [name for name in response.headers if name.startswith("access-control-")]
