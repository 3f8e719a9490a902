"""`Idempotency-Key`: a route keeps it, refuses it by name, or has no second effect anyway. None ignores it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from gateway_http.callbacks import callback_gate
from tests.integration.gateway.conftest import Running, running_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEND = "/api/sms/send"
SMS = {"userId": "u", "recipientPhoneNumber": "+254712345678", "message": "m", "senderId": "TUKUPAY"}
KEPT = {SEND, "/api/sms/send-batch", "/api/sms-costs"}
WITHOUT_SECOND_EFFECT = {
    "/api/sms/quote": "reads only",
    "/api/sms/suppressions": "an entry that is there stays",
    "/api/sms/suppressions/check": "reads only",
    "/api/sms/balance/top-ups": "its `reference` is its key",
    "/api/sms-costs/{costId}/withdraw": "a row is withdrawn once",
    "/api/sms/outbox/{outboxId}/cancel": "a message is cancelled once",
    "/api/sms/outbox/{outboxId}/feedback": "says the same again",
    "/api/sms/alerts/{alertId}/acknowledge": "says the same again",
    "/api/access/keys/{keyId}/revoke": "a key is revoked once",
    "/api/privacy/erasures": "what is erased stays so",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_gateway() -> AsyncIterator[Running]:
    async with running_gateway() as everything:
        yield everything


@pytest.fixture
def running(shared_gateway: Running) -> Running:
    shared_gateway.messaging.forget()
    return shared_gateway


async def sent(running: Running, headers: Any, **fields: str) -> str:
    """The messageId under which an SMS reached messaging."""
    running.messaging.forget()
    response = await running.http.post(SEND, json=SMS | fields, headers=headers)
    assert response.status_code == 200
    return running.messaging.item.message_id


async def test_a_send_with_a_key_gets_its_message_id_from_it(running: Running) -> None:
    first = await sent(running, {"Idempotency-Key": "k"})
    assert first == await sent(running, {"Idempotency-Key": "k"})
    assert first != await sent(running, {"Idempotency-Key": "K"})
    assert first.startswith("key-")
    assert await sent(running, {}) == ""


async def test_a_message_id_counts_before_the_key(running: Running) -> None:
    assert await sent(running, {"Idempotency-Key": "k"}, messageId="mine") == "mine"


async def test_the_only_sms_of_a_batch_does_not_share_the_name_of_a_single_one(running: Running) -> None:
    single = await sent(running, {"Idempotency-Key": "k"})
    running.messaging.forget()
    response = await running.http.post(
        "/api/sms/send-batch", json={"messages": [SMS]}, headers={"Idempotency-Key": "k"}
    )
    assert response.status_code == 200
    assert running.messaging.item.message_id == f"{single}-0"


@pytest.mark.parametrize(
    "headers",
    [
        [("Idempotency-Key", "")],
        [("Idempotency-Key", "x" * 129)],
        [("Idempotency-Key", "a\tb")],
        [("Idempotency-Key", "a"), ("Idempotency-Key", "b")],
    ],
)
async def test_a_key_at_fault_is_refused_by_name(running: Running, headers: list[tuple[str, str]]) -> None:
    response = await running.http.post(SEND, json=SMS, headers=headers)
    assert response.status_code == 400
    assert [fault["field"] for fault in response.json()["errors"]] == ["Idempotency-Key"]
    assert running.messaging.batches == []


async def test_no_route_ignores_a_key(running: Running) -> None:
    # Carriers' posts are told apart by the ids in them.
    own = [route for route in running.gateway.routes if not route.path.startswith(callback_gate.PREFIX)]
    posts = [route for route in own if "POST" in (route.methods or ())]
    assert len(posts) > 10
    for route in posts:
        if route.path in KEPT or route.path in WITHOUT_SECOND_EFFECT:
            continue
        url = route.path
        for name in ("webhookId", "channelId", "keyId"):
            url = url.replace(f"{{{name}}}", "some_id")
        response = await running.http.post(url, json={}, headers={"Idempotency-Key": "k"})
        assert response.status_code == 400, route.path
        [fault] = response.json()["errors"]
        assert (fault["field"], fault["reason"]) == ("Idempotency-Key", "NOT_ALLOWED"), route.path
    assert running.messaging.requests == running.webhooks.requests == running.channels.requests == []


async def test_the_routes_named_here_exist(running: Running) -> None:
    paths = {SEND, *(route.path for route in running.gateway.routes)}
    assert (KEPT | WITHOUT_SECOND_EFFECT.keys()) - paths == set()
