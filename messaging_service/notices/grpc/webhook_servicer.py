"""WebhookService over gRPC."""

from __future__ import annotations

from datetime import timedelta

from typing_extensions import override

from messaging_service.notices.domain.endpoints import EndpointKind
from messaging_service.notices.grpc.endpoint_servicer import EndpointServicer
from messaging_service.notices.grpc.webhook_messages import MESSAGES
from messaging_service.notices.manage_endpoints import ManageEndpoints
from messaging_service.shared.domain import reasons
from service_kit.access.caller import caller
from service_kit.audit.actor import actor
from service_kit.errors import Violation, invalid
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import webhooks_pb2 as pb
from tukupay.sms.messaging.v1 import webhooks_pb2_grpc


class WebhookServicer(EndpointServicer[pb.Webhook, pb.WebhookDelivery], webhooks_pb2_grpc.WebhookServiceServicer):
    """The messages of webhooks over the mechanism of all endpoints, and their secrets."""

    def __init__(self, webhooks: ManageEndpoints) -> None:
        super().__init__(webhooks, MESSAGES)

    @override
    async def CreateWebhook(self, request: pb.CreateWebhookRequest, context: Context) -> pb.CreateWebhookResponse:
        targets = {EndpointKind.WEBHOOK: request.url}
        events = MESSAGES.to_events(request.events)
        created = await self._endpoints.create(request.user_id, targets, events, request.description, actor=actor())
        self._log("created", created.endpoint.id, account=created.endpoint.account_id)
        return pb.CreateWebhookResponse(webhook=MESSAGES.from_endpoint(created.endpoint), secret=created.secret)

    @override
    async def GetWebhook(self, request: pb.GetWebhookRequest, context: Context) -> pb.GetWebhookResponse:
        return pb.GetWebhookResponse(webhook=await self._get(request.webhook_id))

    @override
    async def ListWebhooks(self, request: pb.ListWebhooksRequest, context: Context) -> pb.ListWebhooksResponse:
        page, token = await self._of_account(request)
        return pb.ListWebhooksResponse(webhooks=page, next_page_token=token)

    @override
    async def UpdateWebhook(self, request: pb.UpdateWebhookRequest, context: Context) -> pb.UpdateWebhookResponse:
        targets = {EndpointKind.WEBHOOK: request.url} if request.HasField("url") else {}
        return pb.UpdateWebhookResponse(webhook=await self._change(request.webhook_id, request, targets))

    @override
    async def RotateWebhookSecret(
        self, request: pb.RotateWebhookSecretRequest, context: Context
    ) -> pb.RotateWebhookSecretResponse:
        overlap = _overlap(request) if request.HasField("overlap") else None
        webhook_id = MESSAGES.endpoint_id_of(request.webhook_id)
        rotated = await self._endpoints.rotate(webhook_id, caller().accounts, overlap, actor=actor())
        self._log("rotated", rotated.endpoint.id, account=rotated.endpoint.account_id)
        return pb.RotateWebhookSecretResponse(webhook=MESSAGES.from_endpoint(rotated.endpoint), secret=rotated.secret)

    @override
    async def DeleteWebhook(self, request: pb.DeleteWebhookRequest, context: Context) -> pb.DeleteWebhookResponse:
        await self._delete(request.webhook_id)
        return pb.DeleteWebhookResponse()

    @override
    async def TestWebhook(self, request: pb.TestWebhookRequest, context: Context) -> pb.TestWebhookResponse:
        return pb.TestWebhookResponse(delivery=await self._test(request.webhook_id))

    @override
    async def ListWebhookDeliveries(
        self, request: pb.ListWebhookDeliveriesRequest, context: Context
    ) -> pb.ListWebhookDeliveriesResponse:
        deliveries, token = await self._deliveries(request.webhook_id, request)
        return pb.ListWebhookDeliveriesResponse(deliveries=deliveries, next_page_token=token)

    @override
    async def ReplayWebhookDeliveries(
        self, request: pb.ReplayWebhookDeliveriesRequest, context: Context
    ) -> pb.ReplayWebhookDeliveriesResponse:
        replayed = await self._replay(request.webhook_id, request, delivered=request.include_delivered)
        return pb.ReplayWebhookDeliveriesResponse(replayed=replayed)


def _overlap(request: pb.RotateWebhookSecretRequest) -> timedelta:
    try:
        return request.overlap.ToTimedelta()
    except (ValueError, OverflowError):
        raise invalid(
            [Violation("overlap", reasons.OUT_OF_RANGE, "is not a duration; give 0 seconds to 30 days")]
        ) from None
