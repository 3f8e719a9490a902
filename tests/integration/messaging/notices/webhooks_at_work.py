"""A service with webhooks to receivers on the loopback, and what tests do with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

from tests.doubles.webhook_receiver import Receiver, receiver
from tests.integration.messaging.running_service import Running, service_on
from tukupay.sms.messaging.v1 import webhooks_pb2 as pb
from tukupay.sms.messaging.v1 import webhooks_pb2_grpc

SMS_EVENTS = (pb.WEBHOOK_EVENT_SMS_SENT, pb.WEBHOOK_EVENT_SMS_DELIVERED, pb.WEBHOOK_EVENT_SMS_FAILED)
OPEN: dict[str, Any] = {
    "webhook_poll_s": 0.05,
    "webhook_allow_http": True,
    "webhook_allowed_networks": (ip_network("127.0.0.0/8"),),
}
MAKE_DUE = """
    WITH due AS (UPDATE webhook_delivery SET next_try_at = now() WHERE state = 'pending')
    UPDATE webhook_endpoint SET paused_until = NULL
"""


def webhooks(service: Running) -> webhooks_pb2_grpc.WebhookServiceAsyncStub:
    return webhooks_pb2_grpc.WebhookServiceStub(service.channel)


async def made(service: Running, url: str, **fields: Any) -> pb.CreateWebhookResponse:
    request: dict[str, Any] = {"user_id": "user123", "url": url, "events": SMS_EVENTS}
    return await webhooks(service).CreateWebhook(pb.CreateWebhookRequest(**(request | fields)))


async def deliveries(service: Running, webhook_id: str, **fields: Any) -> list[pb.WebhookDelivery]:
    request = pb.ListWebhookDeliveriesRequest(webhook_id=webhook_id, **fields)
    return list((await webhooks(service).ListWebhookDeliveries(request)).deliveries)


async def until_ended(service: Running, webhook_id: str, count: int) -> list[pb.WebhookDelivery]:
    """The deliveries, as soon as so many have ended."""
    async with asyncio.timeout(20):
        while True:
            found = await deliveries(service, webhook_id)
            if sum(one.state != pb.WEBHOOK_DELIVERY_STATE_PENDING for one in found) >= count:
                return found


@asynccontextmanager
async def both(url: str, **choices: Any) -> AsyncIterator[tuple[Running, Receiver]]:
    async with receiver() as system, service_on(url, **(OPEN | choices)) as service:
        yield service, system
