"""ChannelService over gRPC."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import structlog

from messaging_service.notices.delivery_ports import DeliveryFilter
from messaging_service.notices.grpc.channel_messages import (
    channel_id_of,
    delivery_id_of,
    from_channel,
    from_delivery,
    to_event,
    to_events,
    to_state,
)
from messaging_service.notices.manage_channels import ChannelChange, ManageChannels
from messaging_service.shared.grpc import wire
from service_kit import page_token
from service_kit.errors import Violation, invalid
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import channels_pb2 as pb
from tukupay.sms.messaging.v1 import channels_pb2_grpc

DEFAULT_PAGE = 50
MAX_PAGE = 500

log = structlog.get_logger()


class ChannelServicer(channels_pb2_grpc.ChannelServiceServicer):
    """Translates between the stubs and the use cases. Targets never get into the log."""

    def __init__(self, channels: ManageChannels) -> None:
        self._channels = channels

    async def CreateChannel(self, request: pb.CreateChannelRequest, context: Context) -> pb.CreateChannelResponse:  # noqa: N802
        """See the proto."""
        events = to_events(request.events)
        made = await self._channels.create(request.user_id, request.url, request.email, events, request.description)
        log.info("channel.created", account=made.account_id, channel=made.id.hex, kind=made.kind.value)
        return pb.CreateChannelResponse(channel=from_channel(made))

    async def GetChannel(self, request: pb.GetChannelRequest, context: Context) -> pb.GetChannelResponse:  # noqa: N802
        """See the proto."""
        return pb.GetChannelResponse(channel=from_channel(await self._channels.get(channel_id_of(request.channel_id))))

    async def ListChannels(self, request: pb.ListChannelsRequest, context: Context) -> pb.ListChannelsResponse:  # noqa: N802
        """See the proto."""
        found = await self._channels.of_account(request.user_id)
        return pb.ListChannelsResponse(channels=[from_channel(channel) for channel in found])

    async def UpdateChannel(self, request: pb.UpdateChannelRequest, context: Context) -> pb.UpdateChannelResponse:  # noqa: N802
        """See the proto."""
        change = ChannelChange(
            url=request.url if request.HasField("url") else None,
            email=request.email if request.HasField("email") else None,
            events=to_events(request.events) or None,
            description=request.description if request.HasField("description") else None,
            enabled=request.enabled if request.HasField("enabled") else None,
        )
        channel = await self._channels.change(channel_id_of(request.channel_id), change)
        log.info("channel.changed", account=channel.account_id, channel=channel.id.hex, enabled=channel.enabled)
        return pb.UpdateChannelResponse(channel=from_channel(channel))

    async def DeleteChannel(self, request: pb.DeleteChannelRequest, context: Context) -> pb.DeleteChannelResponse:  # noqa: N802
        """See the proto."""
        channel = channel_id_of(request.channel_id)
        await self._channels.delete(channel)
        log.info("channel.deleted", channel=channel.hex)
        return pb.DeleteChannelResponse()

    async def TestChannel(self, request: pb.TestChannelRequest, context: Context) -> pb.TestChannelResponse:  # noqa: N802
        """See the proto."""
        delivery = await self._channels.test(channel_id_of(request.channel_id))
        return pb.TestChannelResponse(delivery=from_delivery(delivery))

    async def ListChannelDeliveries(  # noqa: N802
        self, request: pb.ListChannelDeliveriesRequest, context: Context
    ) -> pb.ListChannelDeliveriesResponse:
        """See the proto."""
        if not 0 <= request.page_size <= MAX_PAGE:
            problem = f"is {request.page_size}; give 1 to {MAX_PAGE}, or 0 for {DEFAULT_PAGE}"
            raise invalid([Violation("page_size", "OUT_OF_RANGE", problem)])
        size = request.page_size or DEFAULT_PAGE
        channel = channel_id_of(request.channel_id)
        wanted = DeliveryFilter(
            state=to_state(request.state), event_type=to_event("event", request.event) if request.event else None
        )
        question = (channel.hex, wanted.state, wanted.event_type)
        after = _position(page_token.decode(request.page_token, question, 2)) if request.page_token else None
        found = list(await self._channels.deliveries(channel, wanted, size + 1, after))
        page = found[:size]
        token = ""
        if len(found) > size:
            token = page_token.encode((page[-1].created_at.isoformat(), page[-1].id.hex), question)
        return pb.ListChannelDeliveriesResponse(
            deliveries=[from_delivery(delivery) for delivery in page], next_page_token=token
        )

    async def ReplayChannelDeliveries(  # noqa: N802
        self, request: pb.ReplayChannelDeliveriesRequest, context: Context
    ) -> pb.ReplayChannelDeliveriesResponse:
        """See the proto."""
        channel = channel_id_of(request.channel_id)
        has_period = request.HasField("period_start") or request.HasField("period_end")
        if request.HasField("delivery_id") == has_period:
            problem = "give either it, or the start and the end of a period"
            raise invalid([Violation("delivery_id", "REQUIRED", problem)])
        if not has_period:
            await self._channels.replay(channel, delivery_id_of(request.delivery_id))
            return pb.ReplayChannelDeliveriesResponse(replayed=1)
        start, end = wire.to_period(request)
        count = await self._channels.replay_period(channel, start, end)
        log.info("channel.replayed", channel=channel.hex, deliveries=count)
        return pb.ReplayChannelDeliveriesResponse(replayed=count)


def _position(values: list[str | int]) -> tuple[datetime, UUID]:
    try:
        return datetime.fromisoformat(str(values[0])), UUID(hex=str(values[1]))
    except ValueError:
        problem = "is not a token that this service made; start again without it"
        raise invalid([Violation("page_token", "INVALID_PAGE_TOKEN", problem)]) from None
