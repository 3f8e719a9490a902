"""Channels that answer as a test tells them, over real gRPC."""

from __future__ import annotations

from typing import Any

from service_kit.errors import Kind, ServiceError
from tests.doubles.gateway_doubles import Scripted, at
from tukupay.sms.messaging.v1 import channels_pb2 as pb
from tukupay.sms.messaging.v1 import channels_pb2_grpc

CHANNEL_ID = "channel_0192e4a07c2b7d3e9a51c6f0b8d4e2a1"
SHOWN = "slack://T...2/A...D/T...Q/%23duty/"


def channel(**fields: Any) -> pb.Channel:
    known: dict[str, Any] = {
        "channel_id": CHANNEL_ID,
        "user_id": "user123",
        "kind": pb.CHANNEL_KIND_SERVICE,
        "target": SHOWN,
        "events": [pb.CHANNEL_EVENT_BALANCE_LOW],
        "enabled": True,
        "created_time": at("2024-12-15T08:00:00Z"),
    }
    return pb.Channel(**(known | fields))


def delivery(**fields: Any) -> pb.ChannelDelivery:
    known: dict[str, Any] = {
        "delivery_id": "delivery_0192e4a07c2b7d3e9a51c6f0b8d4e2a2",
        "event_id": "evt_1",
        "event": pb.CHANNEL_EVENT_BALANCE_LOW,
        "state": pb.CHANNEL_DELIVERY_STATE_DELIVERED,
        "tries": 1,
        "created_time": at("2024-12-15T08:00:00Z"),
    }
    return pb.ChannelDelivery(**(known | fields))


class ChannelDouble(Scripted, channels_pb2_grpc.ChannelServiceServicer):
    """Makes every channel, and knows one."""

    async def _known(self, call: str, request: Any, context: Any, response: Any) -> Any:
        if request.channel_id != CHANNEL_ID:
            self.requests.append(request)
            raise ServiceError(Kind.NOT_FOUND, "CHANNEL_NOT_FOUND", "there is no channel with that id")
        return await self._answer(call, request, context, response)

    async def CreateChannel(self, request: Any, context: Any) -> Any:  # noqa: N802
        made = channel(user_id=request.user_id, description=request.description)
        if request.events:
            made = channel(user_id=request.user_id, description=request.description, events=request.events)
        return await self._answer("CreateChannel", request, context, pb.CreateChannelResponse(channel=made))

    async def GetChannel(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._known("GetChannel", request, context, pb.GetChannelResponse(channel=channel()))

    async def ListChannels(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._answer("ListChannels", request, context, pb.ListChannelsResponse(channels=[channel()]))

    async def UpdateChannel(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._known("UpdateChannel", request, context, pb.UpdateChannelResponse(channel=channel()))

    async def DeleteChannel(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._known("DeleteChannel", request, context, pb.DeleteChannelResponse())

    async def TestChannel(self, request: Any, context: Any) -> Any:  # noqa: N802
        tested = delivery(event=pb.CHANNEL_EVENT_TEST, state=pb.CHANNEL_DELIVERY_STATE_PENDING, tries=0)
        return await self._known("TestChannel", request, context, pb.TestChannelResponse(delivery=tested))

    async def ListChannelDeliveries(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._known("ListChannelDeliveries", request, context, pb.ListChannelDeliveriesResponse())

    async def ReplayChannelDeliveries(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = pb.ReplayChannelDeliveriesResponse(replayed=3)
        return await self._known("ReplayChannelDeliveries", request, context, answer)
