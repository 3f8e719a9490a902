"""The routes of channels: make, show, change, delete, test, log, replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway_http.channels.channel_models import (
    EVENTS,
    STATES,
    Channel,
    ChannelChange,
    ChannelDelivery,
    ChannelEventName,
    ChannelReplay,
    ChannelStateName,
    NewChannel,
)
from gateway_http.shared.idempotency_key import without_key
from gateway_http.shared.json_answer import call_metadata, json_answer
from gateway_http.shared.query import choice, limit, next_link, parameters
from gateway_http.shared.request_body import JsonBody, read_body
from gateway_http.shared.upstream import Call, answer_of
from gateway_http.webhooks.webhook_models import Replayed
from tukupay.sms.messaging.v1 import channels_pb2 as pb

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.channels_pb2_grpc import ChannelServiceAsyncStub

CHANNELS = "/api/sms/alerts/channels"
CHANNEL = "/api/sms/alerts/channels/{channelId}"
TEST = "/api/sms/alerts/channels/{channelId}/test"
DELIVERIES = "/api/sms/alerts/channels/{channelId}/deliveries"
REPLAY = "/api/sms/alerts/channels/{channelId}/replay"
MAX_DELIVERIES = 500

_READ = Call("messaging")
_WRITE = Call("messaging", "it may or may not have taken effect: list the channels to see")
# Longer than messaging takes for a new target, which a process looks at that may have to be started for it.
_TIMEOUT_S = 30.0


class ChannelRoutes:
    """Speaks to the messaging service."""

    def __init__(self, channels: ChannelServiceAsyncStub) -> None:
        self._channels = channels
        self._new = JsonBody(NewChannel)
        self._change = JsonBody(ChannelChange)
        self._replay = JsonBody(ChannelReplay)

    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [
            Route(CHANNELS, self.list_channels, methods=["GET"]),
            Route(CHANNELS, without_key(self.create), methods=["POST"]),
            Route(CHANNEL, self.show, methods=["GET"]),
            Route(CHANNEL, self.change, methods=["PATCH"]),
            Route(CHANNEL, self.delete, methods=["DELETE"]),
            Route(TEST, without_key(self.test), methods=["POST"]),
            Route(DELIVERIES, self.deliveries, methods=["GET"]),
            Route(REPLAY, without_key(self.replay), methods=["POST"]),
        ]

    async def list_channels(self, request: Request) -> Response:
        """Answers with a bare array, oldest first."""
        values = parameters(request.scope["query_string"], ("userId",), required=("userId",))
        question = pb.ListChannelsRequest(user_id=values["userId"])
        call = self._channels.ListChannels(question, timeout=_TIMEOUT_S, metadata=call_metadata(request))
        return json_answer([Channel.of(channel) for channel in (await answer_of(call, _READ)).channels])

    async def create(self, request: Request) -> Response:
        """Makes a channel and answers 201 with it."""
        parameters(request.scope["query_string"], ())
        new = self._new.decode(await read_body(request.receive, request.scope["headers"]))
        call = self._channels.CreateChannel(new.to_request(), timeout=_TIMEOUT_S, metadata=call_metadata(request))
        return json_answer(Channel.of((await answer_of(call, _WRITE)).channel), 201)

    async def show(self, request: Request) -> Response:
        """Answers with one channel."""
        parameters(request.scope["query_string"], ())
        question = pb.GetChannelRequest(channel_id=request.path_params["channelId"])
        call = self._channels.GetChannel(question, timeout=_TIMEOUT_S, metadata=call_metadata(request))
        return json_answer(Channel.of((await answer_of(call, _READ)).channel))

    async def change(self, request: Request) -> Response:
        """Changes a channel and answers with it."""
        parameters(request.scope["query_string"], ())
        change = self._change.decode(await read_body(request.receive, request.scope["headers"]))
        call = self._channels.UpdateChannel(
            change.to_request(request.path_params["channelId"]), timeout=_TIMEOUT_S, metadata=call_metadata(request)
        )
        return json_answer(Channel.of((await answer_of(call, _WRITE)).channel))

    async def delete(self, request: Request) -> Response:
        """Deletes a channel and answers 204."""
        parameters(request.scope["query_string"], ())
        call = self._channels.DeleteChannel(
            pb.DeleteChannelRequest(channel_id=request.path_params["channelId"]),
            timeout=_TIMEOUT_S,
            metadata=call_metadata(request),
        )
        await answer_of(call, _WRITE)
        return Response(status_code=204)

    async def test(self, request: Request) -> Response:
        """Tells of a test and answers 202 with its delivery."""
        parameters(request.scope["query_string"], ())
        call = self._channels.TestChannel(
            pb.TestChannelRequest(channel_id=request.path_params["channelId"]),
            timeout=_TIMEOUT_S,
            metadata=call_metadata(request),
        )
        return json_answer(ChannelDelivery.of((await answer_of(call, _WRITE)).delivery), 202)

    async def deliveries(self, request: Request) -> Response:
        """Answers with a bare array, newest first, and a link to the next page when there is one."""
        values = parameters(request.scope["query_string"], ("state", "event", "limit", "pageToken"))
        state, event = choice(values, "state", tuple(STATES)), choice(values, "event", tuple(EVENTS))
        channel_id = request.path_params["channelId"]
        question = pb.ListChannelDeliveriesRequest(
            channel_id=channel_id,
            state=STATES[cast("ChannelStateName", state)] if state else pb.CHANNEL_DELIVERY_STATE_UNSPECIFIED,
            event=EVENTS[cast("ChannelEventName", event)] if event else pb.CHANNEL_EVENT_UNSPECIFIED,
            page_size=limit(values, MAX_DELIVERIES),
            page_token=values.get("pageToken", ""),
        )
        call = self._channels.ListChannelDeliveries(question, timeout=_TIMEOUT_S, metadata=call_metadata(request))
        page = await answer_of(call, _READ)
        token = page.next_page_token
        # Only an id that a channel has gets here, so it is safe to repeat in the link.
        path = DELIVERIES.format(channelId=channel_id)
        headers = {"Link": next_link(path, values, token)} if token else {}
        return json_answer([ChannelDelivery.of(one) for one in page.deliveries], headers=headers)

    async def replay(self, request: Request) -> Response:
        """Tells of events again and answers 202 with of how many."""
        parameters(request.scope["query_string"], ())
        order = self._replay.decode(await read_body(request.receive, request.scope["headers"]))
        call = self._channels.ReplayChannelDeliveries(
            order.to_request(request.path_params["channelId"]), timeout=_TIMEOUT_S, metadata=call_metadata(request)
        )
        return json_answer(Replayed(replayed=(await answer_of(call, _WRITE)).replayed), 202)
