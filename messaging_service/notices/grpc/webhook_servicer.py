"""WebhookService over gRPC."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import structlog

from messaging_service.notices.delivery_ports import DeliveryFilter, EndpointChange
from messaging_service.notices.grpc.webhook_messages import (
    delivery_id_of,
    endpoint_id_of,
    from_delivery,
    from_endpoint,
    to_event,
    to_events,
    to_state,
)
from messaging_service.notices.manage_webhooks import ManageWebhooks
from messaging_service.shared.grpc import wire
from service_kit import page_token
from service_kit.errors import Violation, invalid
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import webhooks_pb2 as pb
from tukupay.sms.messaging.v1 import webhooks_pb2_grpc

DEFAULT_PAGE = 50
MAX_PAGE = 500

log = structlog.get_logger()


class WebhookServicer(webhooks_pb2_grpc.WebhookServiceServicer):
    """Translates between the stubs and the use cases."""

    def __init__(self, webhooks: ManageWebhooks) -> None:
        self._webhooks = webhooks

    async def CreateWebhook(self, request: pb.CreateWebhookRequest, context: Context) -> pb.CreateWebhookResponse:  # noqa: N802
        """See the proto."""
        events = to_events(request.events)
        made = await self._webhooks.create(request.user_id, request.url, events, request.description)
        log.info("webhook.created", account=made.endpoint.account_id, webhook=made.endpoint.id.hex)
        return pb.CreateWebhookResponse(webhook=from_endpoint(made.endpoint), secret=made.secret)

    async def GetWebhook(self, request: pb.GetWebhookRequest, context: Context) -> pb.GetWebhookResponse:  # noqa: N802
        """See the proto."""
        endpoint = await self._webhooks.get(endpoint_id_of(request.webhook_id))
        return pb.GetWebhookResponse(webhook=from_endpoint(endpoint))

    async def ListWebhooks(self, request: pb.ListWebhooksRequest, context: Context) -> pb.ListWebhooksResponse:  # noqa: N802
        """See the proto."""
        found = await self._webhooks.of_account(request.user_id)
        return pb.ListWebhooksResponse(webhooks=[from_endpoint(endpoint) for endpoint in found])

    async def UpdateWebhook(self, request: pb.UpdateWebhookRequest, context: Context) -> pb.UpdateWebhookResponse:  # noqa: N802
        """See the proto."""
        change = EndpointChange(
            url=request.url if request.HasField("url") else None,
            events=to_events(request.events) or None,
            description=request.description if request.HasField("description") else None,
            enabled=request.enabled if request.HasField("enabled") else None,
        )
        endpoint = await self._webhooks.change(endpoint_id_of(request.webhook_id), change)
        log.info("webhook.changed", account=endpoint.account_id, webhook=endpoint.id.hex, enabled=endpoint.enabled)
        return pb.UpdateWebhookResponse(webhook=from_endpoint(endpoint))

    async def RotateWebhookSecret(  # noqa: N802
        self, request: pb.RotateWebhookSecretRequest, context: Context
    ) -> pb.RotateWebhookSecretResponse:
        """See the proto."""
        overlap = _overlap(request) if request.HasField("overlap") else None
        made = await self._webhooks.rotate(endpoint_id_of(request.webhook_id), overlap)
        log.info("webhook.rotated", account=made.endpoint.account_id, webhook=made.endpoint.id.hex)
        return pb.RotateWebhookSecretResponse(webhook=from_endpoint(made.endpoint), secret=made.secret)

    async def DeleteWebhook(self, request: pb.DeleteWebhookRequest, context: Context) -> pb.DeleteWebhookResponse:  # noqa: N802
        """See the proto."""
        endpoint_id = endpoint_id_of(request.webhook_id)
        await self._webhooks.delete(endpoint_id)
        log.info("webhook.deleted", webhook=endpoint_id.hex)
        return pb.DeleteWebhookResponse()

    async def TestWebhook(self, request: pb.TestWebhookRequest, context: Context) -> pb.TestWebhookResponse:  # noqa: N802
        """See the proto."""
        delivery = await self._webhooks.test(endpoint_id_of(request.webhook_id))
        return pb.TestWebhookResponse(delivery=from_delivery(delivery))

    async def ListWebhookDeliveries(  # noqa: N802
        self, request: pb.ListWebhookDeliveriesRequest, context: Context
    ) -> pb.ListWebhookDeliveriesResponse:
        """See the proto."""
        if not 0 <= request.page_size <= MAX_PAGE:
            problem = f"is {request.page_size}; give 1 to {MAX_PAGE}, or 0 for {DEFAULT_PAGE}"
            raise invalid([Violation("page_size", "OUT_OF_RANGE", problem)])
        size = request.page_size or DEFAULT_PAGE
        endpoint_id = endpoint_id_of(request.webhook_id)
        wanted = DeliveryFilter(
            state=to_state(request.state), event_type=to_event("event", request.event) if request.event else None
        )
        question = (endpoint_id.hex, wanted.state, wanted.event_type)
        after = _position(page_token.decode(request.page_token, question, 2)) if request.page_token else None
        found = list(await self._webhooks.deliveries(endpoint_id, wanted, size + 1, after))
        page = found[:size]
        token = ""
        if len(found) > size:
            token = page_token.encode((page[-1].created_at.isoformat(), page[-1].id.hex), question)
        return pb.ListWebhookDeliveriesResponse(
            deliveries=[from_delivery(delivery) for delivery in page], next_page_token=token
        )

    async def ReplayWebhookDeliveries(  # noqa: N802
        self, request: pb.ReplayWebhookDeliveriesRequest, context: Context
    ) -> pb.ReplayWebhookDeliveriesResponse:
        """See the proto."""
        endpoint_id = endpoint_id_of(request.webhook_id)
        has_period = request.HasField("period_start") or request.HasField("period_end")
        if request.HasField("delivery_id") == has_period:
            problem = "give either it, or the start and the end of a period"
            raise invalid([Violation("delivery_id", "REQUIRED", problem)])
        if not has_period:
            await self._webhooks.replay(endpoint_id, delivery_id_of(request.delivery_id))
            return pb.ReplayWebhookDeliveriesResponse(replayed=1)
        start, end = wire.to_period(request)
        count = await self._webhooks.replay_period(endpoint_id, start, end, delivered=request.include_delivered)
        log.info("webhook.replayed", webhook=endpoint_id.hex, deliveries=count)
        return pb.ReplayWebhookDeliveriesResponse(replayed=count)


def _overlap(request: pb.RotateWebhookSecretRequest) -> timedelta:
    try:
        return request.overlap.ToTimedelta()
    except (ValueError, OverflowError):
        raise invalid([Violation("overlap", "OUT_OF_RANGE", "is not a duration; give 0 seconds to 30 days")]) from None


def _position(values: list[str | int]) -> tuple[datetime, UUID]:
    try:
        return datetime.fromisoformat(str(values[0])), UUID(hex=str(values[1]))
    except ValueError:
        problem = "is not a token that this service made; start again without it"
        raise invalid([Violation("page_token", "INVALID_PAGE_TOKEN", problem)]) from None
