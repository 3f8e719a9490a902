"""The routes of channels: make, list, show, change, delete, test, log, replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from gateway_http.channels.channel_models import (
    EVENTS,
    STATES,
    Channel,
    ChannelChange,
    ChannelDelivery,
    ChannelReplay,
    NewChannel,
)
from gateway_http.channels.channel_operations import (
    CREATE_CHANNEL,
    DELETE_CHANNEL,
    GET_CHANNEL,
    LIST_CHANNEL_DELIVERIES,
    LIST_CHANNELS,
    REPLAY_CHANNEL,
    TEST_CHANNEL,
    UPDATE_CHANNEL,
)
from gateway_http.shared.endpoint_models import Replayed
from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.query import chosen
from gateway_http.shared.route import RestRequest, RestRoutes, handles, handles_body
from gateway_http.shared.upstream import Call
from tukupay.sms.messaging.v1 import channels_pb2 as pb

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.channels_pb2_grpc import ChannelServiceAsyncStub

# Longer than messaging takes for a new target, which a process looks at that may have to be started for it.
_TIMEOUT_S = 30.0
_READ = Call("messaging", timeout_s=_TIMEOUT_S)
_WRITE = Call("messaging", "it may or may not have taken effect: list the channels to see", _TIMEOUT_S)


class ChannelRoutes(RestRoutes):
    """Speaks to the messaging service."""

    def __init__(self, channels: ChannelServiceAsyncStub) -> None:
        self._channels = channels

    @handles_body(CREATE_CHANNEL, refuses_key=True)
    async def create(self, request: RestRequest, new: NewChannel) -> Response:
        """Makes a channel and answers 201 with it."""
        made = await request.answer(self._channels.CreateChannel, new.to_request(), _WRITE)
        return json_answer(Channel.of(made.channel), 201)

    @handles(LIST_CHANNELS)
    async def list_channels(self, request: RestRequest) -> Response:
        """Answers with a bare array, oldest first."""
        question = pb.ListChannelsRequest(user_id=request.query["userId"])
        pages = request.pages(self._channels.ListChannels, question, _READ)
        return json_answer([Channel.of(channel) async for page in pages for channel in page.channels])

    @handles(GET_CHANNEL)
    async def show(self, request: RestRequest) -> Response:
        """Answers with one channel."""
        question = pb.GetChannelRequest(channel_id=request.path["channelId"])
        return json_answer(Channel.of((await request.answer(self._channels.GetChannel, question, _READ)).channel))

    @handles_body(UPDATE_CHANNEL)
    async def change(self, request: RestRequest, change: ChannelChange) -> Response:
        """Changes a channel and answers with it."""
        question = change.to_request(request.path["channelId"])
        return json_answer(Channel.of((await request.answer(self._channels.UpdateChannel, question, _WRITE)).channel))

    @handles(DELETE_CHANNEL)
    async def delete(self, request: RestRequest) -> Response:
        """Deletes a channel and answers 204."""
        question = pb.DeleteChannelRequest(channel_id=request.path["channelId"])
        await request.answer(self._channels.DeleteChannel, question, _WRITE)
        return Response(status_code=204)

    @handles(TEST_CHANNEL, refuses_key=True)
    async def test(self, request: RestRequest) -> Response:
        """Sends a test and answers 202 with its delivery."""
        question = pb.TestChannelRequest(channel_id=request.path["channelId"])
        made = await request.answer(self._channels.TestChannel, question, _WRITE)
        return json_answer(ChannelDelivery.of(made.delivery), 202)

    @handles(LIST_CHANNEL_DELIVERIES)
    async def deliveries(self, request: RestRequest) -> Response:
        """Answers with a bare array, newest first."""
        question = pb.ListChannelDeliveriesRequest(
            channel_id=request.path["channelId"],
            state=chosen(request.query, "state", STATES, pb.CHANNEL_DELIVERY_STATE_UNSPECIFIED),
            event=chosen(request.query, "event", EVENTS, pb.CHANNEL_EVENT_UNSPECIFIED),
            page_size=request.page_size(),
            page_token=request.page_token(),
        )
        page = await request.answer(self._channels.ListChannelDeliveries, question, _READ)
        return request.page([ChannelDelivery.of(one) for one in page.deliveries], page.next_page_token)

    @handles_body(REPLAY_CHANNEL, refuses_key=True)
    async def replay(self, request: RestRequest, order: ChannelReplay) -> Response:
        """Sends events again and answers 202 with how many."""
        question = order.to_request(request.path["channelId"])
        made = await request.answer(self._channels.ReplayChannelDeliveries, question, _WRITE)
        return json_answer(Replayed(replayed=made.replayed), 202)
