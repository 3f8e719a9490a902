"""The messages of ChannelService."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from messaging_service.notices.domain.endpoints import DeliveryState, Endpoint, EndpointKind, EventType
from messaging_service.notices.endpoint_families import CHANNELS
from messaging_service.notices.grpc.endpoint_messages import EndpointMessages
from messaging_service.shared.grpc import wire
from tukupay.sms.messaging.v1 import channels_pb2 as pb

KINDS: Mapping[EndpointKind, pb.ChannelKind.ValueType] = {
    EndpointKind.SERVICE: pb.CHANNEL_KIND_SERVICE,
    EndpointKind.EMAIL: pb.CHANNEL_KIND_EMAIL,
}
EVENTS: Mapping[EventType, pb.ChannelEvent.ValueType] = {
    EventType.BALANCE_LOW: pb.CHANNEL_EVENT_BALANCE_LOW,
    EventType.SMS_FAILING: pb.CHANNEL_EVENT_SMS_FAILING,
    EventType.OUTCOMES_UNKNOWN: pb.CHANNEL_EVENT_OUTCOMES_UNKNOWN,
    EventType.CARRIER_DOWN: pb.CHANNEL_EVENT_CARRIER_DOWN,
    EventType.CARRIER_BALANCE_LOW: pb.CHANNEL_EVENT_CARRIER_BALANCE_LOW,
    EventType.SMS_PUMPING: pb.CHANNEL_EVENT_SMS_PUMPING,
    EventType.SMS_FAILED: pb.CHANNEL_EVENT_SMS_FAILED,
    EventType.WEBHOOK_TEST: pb.CHANNEL_EVENT_TEST,
}
STATES: Mapping[DeliveryState, pb.ChannelDeliveryState.ValueType] = {
    DeliveryState.PENDING: pb.CHANNEL_DELIVERY_STATE_PENDING,
    DeliveryState.DELIVERED: pb.CHANNEL_DELIVERY_STATE_DELIVERED,
    DeliveryState.FAILED: pb.CHANNEL_DELIVERY_STATE_FAILED,
}


def from_channel(endpoint: Endpoint) -> pb.Channel:
    """The public form of a channel."""
    failing = endpoint.failing_since
    return pb.Channel(
        channel_id=CHANNELS.public_id(endpoint.id),
        user_id=endpoint.account_id,
        kind=KINDS[endpoint.kind],
        target=endpoint.url,
        events=[EVENTS[event] for event in endpoint.events],
        description=endpoint.description,
        enabled=endpoint.enabled,
        created_time=wire.from_instant(endpoint.created_at),
        failing_since_time=None if failing is None else wire.from_instant(failing),
        disabled_reason=endpoint.disabled_reason,
    )


MESSAGES: Final = EndpointMessages(
    CHANNELS, "ChannelEvent", EVENTS, "ChannelDeliveryState", STATES, from_channel, pb.ChannelDelivery
)
