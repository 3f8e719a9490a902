"""What WebhookService and ChannelService do alike."""

from __future__ import annotations

from typing import Generic
from uuid import UUID

import structlog

from messaging_service.notices.endpoint_store import DeliveryFilter
from messaging_service.notices.grpc.endpoint_messages import DeliveryT, EndpointMessages, EndpointT
from messaging_service.notices.manage_endpoints import EndpointUpdate, ManageEndpoints, TargetsByKind
from messaging_service.shared.domain import reasons
from messaging_service.shared.grpc import list_pages, wire
from service_kit.access.caller import caller
from service_kit.audit.actor import actor
from service_kit.errors import Violation, invalid
from tukupay.sms.messaging.v1 import channels_pb2, webhooks_pb2

log = structlog.get_logger()


class EndpointServicer(Generic[EndpointT, DeliveryT]):
    """Translates between the stubs of one family and the use cases. Targets and secrets never get into the log."""

    def __init__(self, endpoints: ManageEndpoints, messages: EndpointMessages[EndpointT, DeliveryT]) -> None:
        self._endpoints = endpoints
        self._messages = messages

    async def _get(self, public_id: str) -> EndpointT:
        return self._messages.from_endpoint(
            await self._endpoints.get(self._messages.endpoint_id_of(public_id), caller().accounts)
        )

    async def _of_account(
        self, request: webhooks_pb2.ListWebhooksRequest | channels_pb2.ListChannelsRequest
    ) -> tuple[list[EndpointT], str]:
        """A page of endpoints, and the token of the next one."""
        size = list_pages.page_size(request.page_size)
        question = (f"{self._messages.family.noun}s", request.user_id)
        after = list_pages.after(request.page_token, question)
        found = [
            endpoint
            for endpoint in await self._endpoints.of_account(request.user_id)
            if after is None or (endpoint.created_at, endpoint.id) > after
        ]
        page, token = list_pages.page_of(found, size, question, lambda row: (row.created_at, row.id))
        return [self._messages.from_endpoint(endpoint) for endpoint in page], token

    async def _change(
        self,
        public_id: str,
        request: webhooks_pb2.UpdateWebhookRequest | channels_pb2.UpdateChannelRequest,
        targets: TargetsByKind,
    ) -> EndpointT:
        update = EndpointUpdate(
            targets=targets,
            events=self._messages.to_events(request.events) or None,
            description=request.description if request.HasField("description") else None,
            enabled=request.enabled if request.HasField("enabled") else None,
        )
        endpoint = await self._endpoints.change(
            self._messages.endpoint_id_of(public_id), caller().accounts, update, actor=actor()
        )
        self._log("changed", endpoint.id, account=endpoint.account_id, enabled=endpoint.enabled)
        return self._messages.from_endpoint(endpoint)

    async def _delete(self, public_id: str) -> None:
        endpoint_id = self._messages.endpoint_id_of(public_id)
        await self._endpoints.delete(endpoint_id, caller().accounts, actor=actor())
        self._log("deleted", endpoint_id)

    async def _test(self, public_id: str) -> DeliveryT:
        return self._messages.from_delivery(
            await self._endpoints.test(self._messages.endpoint_id_of(public_id), caller().accounts)
        )

    async def _deliveries(
        self,
        public_id: str,
        request: webhooks_pb2.ListWebhookDeliveriesRequest | channels_pb2.ListChannelDeliveriesRequest,
    ) -> tuple[list[DeliveryT], str]:
        """A page of deliveries, and the token of the next one."""
        size = list_pages.page_size(request.page_size)
        endpoint_id = self._messages.endpoint_id_of(public_id)
        event = self._messages.to_event("event", request.event) if request.event else None
        wanted = DeliveryFilter(state=self._messages.to_state(request.state), event_type=event)
        question = (endpoint_id.hex, wanted.state, wanted.event_type)
        after = list_pages.after(request.page_token, question)
        found = await self._endpoints.deliveries(endpoint_id, caller().accounts, wanted, size + 1, after)
        page, token = list_pages.page_of(found, size, question, lambda row: (row.created_at, row.id))
        return [self._messages.from_delivery(delivery) for delivery in page], token

    async def _replay(
        self,
        public_id: str,
        request: webhooks_pb2.ReplayWebhookDeliveriesRequest | channels_pb2.ReplayChannelDeliveriesRequest,
        *,
        delivered: bool = False,
    ) -> int:
        """Sends one delivery again, or those of a period; returns how many."""
        endpoint_id = self._messages.endpoint_id_of(public_id)
        has_period = request.HasField("period_start") or request.HasField("period_end")
        if request.HasField("delivery_id") == has_period:
            problem = "give either it, or the start and the end of a period"
            raise invalid([Violation("delivery_id", reasons.REQUIRED, problem)])
        if not has_period:
            delivery_id = self._messages.delivery_id_of(request.delivery_id)
            await self._endpoints.replay(endpoint_id, caller().accounts, delivery_id)
            return 1
        start, end = wire.to_period(request)
        count = await self._endpoints.replay_period(endpoint_id, caller().accounts, start, end, delivered=delivered)
        self._log("replayed", endpoint_id, deliveries=count)
        return count

    def _log(self, verb: str, endpoint_id: UUID, **more: str | int) -> None:
        noun = self._messages.family.noun
        name = f"{noun}.{verb}"
        log.info(name, **{noun: endpoint_id.hex}, **more)
