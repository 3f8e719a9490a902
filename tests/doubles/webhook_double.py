"""Webhooks that answer as a test tells them, over real gRPC."""

from __future__ import annotations

from typing import Any

from service_kit.errors import Kind, ServiceError
from tests.doubles.gateway_doubles import Scripted, at
from tukupay.sms.messaging.v1 import webhooks_pb2 as pb
from tukupay.sms.messaging.v1 import webhooks_pb2_grpc

WEBHOOK_ID = "webhook_0192e4a07c2b7d3e9a51c6f0b8d4e2a1"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def webhook(**fields: Any) -> pb.Webhook:
    known: dict[str, Any] = {
        "webhook_id": WEBHOOK_ID,
        "user_id": "user123",
        "url": "https://example.com/hooks",
        "events": [pb.WEBHOOK_EVENT_SMS_SENT],
        "enabled": True,
        "created_time": at("2024-12-15T08:00:00Z"),
    }
    return pb.Webhook(**(known | fields))


def delivery(**fields: Any) -> pb.WebhookDelivery:
    known: dict[str, Any] = {
        "delivery_id": "delivery_0192e4a07c2b7d3e9a51c6f0b8d4e2a2",
        "event_id": "evt_1",
        "event": pb.WEBHOOK_EVENT_SMS_SENT,
        "state": pb.WEBHOOK_DELIVERY_STATE_DELIVERED,
        "tries": 1,
        "created_time": at("2024-12-15T08:00:00Z"),
    }
    return pb.WebhookDelivery(**(known | fields))


class WebhookDouble(Scripted, webhooks_pb2_grpc.WebhookServiceServicer):
    """Makes every webhook, and knows one."""

    async def _known(self, call: str, request: Any, context: Any, response: Any) -> Any:
        if request.webhook_id != WEBHOOK_ID:
            self.requests.append(request)
            raise ServiceError(Kind.NOT_FOUND, "WEBHOOK_NOT_FOUND", "there is no webhook with that id")
        return await self._answer(call, request, context, response)

    async def CreateWebhook(self, request: Any, context: Any) -> Any:  # noqa: N802
        made = webhook(user_id=request.user_id, url=request.url, events=request.events, description=request.description)
        return await self._answer(
            "CreateWebhook", request, context, pb.CreateWebhookResponse(webhook=made, secret=SECRET)
        )

    async def GetWebhook(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._known("GetWebhook", request, context, pb.GetWebhookResponse(webhook=webhook()))

    async def ListWebhooks(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._answer("ListWebhooks", request, context, pb.ListWebhooksResponse(webhooks=[webhook()]))

    async def UpdateWebhook(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._known("UpdateWebhook", request, context, pb.UpdateWebhookResponse(webhook=webhook()))

    async def RotateWebhookSecret(self, request: Any, context: Any) -> Any:  # noqa: N802
        rotated = webhook(previous_secret_until_time=at("2024-12-16T08:00:00Z"))
        answer = pb.RotateWebhookSecretResponse(webhook=rotated, secret=SECRET)
        return await self._known("RotateWebhookSecret", request, context, answer)

    async def DeleteWebhook(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._known("DeleteWebhook", request, context, pb.DeleteWebhookResponse())

    async def TestWebhook(self, request: Any, context: Any) -> Any:  # noqa: N802
        tested = delivery(event=pb.WEBHOOK_EVENT_WEBHOOK_TEST, state=pb.WEBHOOK_DELIVERY_STATE_PENDING, tries=0)
        return await self._known("TestWebhook", request, context, pb.TestWebhookResponse(delivery=tested))

    async def ListWebhookDeliveries(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._known("ListWebhookDeliveries", request, context, pb.ListWebhookDeliveriesResponse())

    async def ReplayWebhookDeliveries(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = pb.ReplayWebhookDeliveriesResponse(replayed=3)
        return await self._known("ReplayWebhookDeliveries", request, context, answer)
