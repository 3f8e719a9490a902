"""ChannelService over gRPC."""

from __future__ import annotations

from typing_extensions import override

from messaging_service.notices.domain.endpoints import EndpointKind
from messaging_service.notices.grpc.channel_messages import MESSAGES
from messaging_service.notices.grpc.endpoint_servicer import EndpointServicer
from messaging_service.notices.manage_endpoints import ManageEndpoints
from service_kit.audit.actor import actor
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import channels_pb2 as pb
from tukupay.sms.messaging.v1 import channels_pb2_grpc


class ChannelServicer(EndpointServicer[pb.Channel, pb.ChannelDelivery], channels_pb2_grpc.ChannelServiceServicer):
    """The messages of channels over the mechanism of all endpoints."""

    def __init__(self, channels: ManageEndpoints) -> None:
        super().__init__(channels, MESSAGES)

    @override
    async def CreateChannel(self, request: pb.CreateChannelRequest, context: Context) -> pb.CreateChannelResponse:
        given = {EndpointKind.SERVICE: request.url, EndpointKind.EMAIL: request.email}
        targets = {kind: target for kind, target in given.items() if target}
        events = MESSAGES.to_events(request.events)
        created = await self._endpoints.create(request.user_id, targets, events, request.description, actor=actor())
        channel = created.endpoint
        self._log("created", channel.id, account=channel.account_id, kind=channel.kind.value)
        return pb.CreateChannelResponse(channel=MESSAGES.from_endpoint(channel))

    @override
    async def GetChannel(self, request: pb.GetChannelRequest, context: Context) -> pb.GetChannelResponse:
        return pb.GetChannelResponse(channel=await self._get(request.channel_id))

    @override
    async def ListChannels(self, request: pb.ListChannelsRequest, context: Context) -> pb.ListChannelsResponse:
        page, token = await self._of_account(request)
        return pb.ListChannelsResponse(channels=page, next_page_token=token)

    @override
    async def UpdateChannel(self, request: pb.UpdateChannelRequest, context: Context) -> pb.UpdateChannelResponse:
        targets = {}
        if request.HasField("url"):
            targets[EndpointKind.SERVICE] = request.url
        if request.HasField("email"):
            targets[EndpointKind.EMAIL] = request.email
        return pb.UpdateChannelResponse(channel=await self._change(request.channel_id, request, targets))

    @override
    async def DeleteChannel(self, request: pb.DeleteChannelRequest, context: Context) -> pb.DeleteChannelResponse:
        await self._delete(request.channel_id)
        return pb.DeleteChannelResponse()

    @override
    async def TestChannel(self, request: pb.TestChannelRequest, context: Context) -> pb.TestChannelResponse:
        return pb.TestChannelResponse(delivery=await self._test(request.channel_id))

    @override
    async def ListChannelDeliveries(
        self, request: pb.ListChannelDeliveriesRequest, context: Context
    ) -> pb.ListChannelDeliveriesResponse:
        deliveries, token = await self._deliveries(request.channel_id, request)
        return pb.ListChannelDeliveriesResponse(deliveries=deliveries, next_page_token=token)

    @override
    async def ReplayChannelDeliveries(
        self, request: pb.ReplayChannelDeliveriesRequest, context: Context
    ) -> pb.ReplayChannelDeliveriesResponse:
        return pb.ReplayChannelDeliveriesResponse(replayed=await self._replay(request.channel_id, request))
