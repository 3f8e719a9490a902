"""Channels and their deliveries from and to the wire."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from messaging_service.notices.domain.endpoints import Delivery, DeliveryState, Endpoint, EndpointKind, EventType
from messaging_service.notices.manage_channels import channel_delivery_not_found, channel_id, channel_not_found
from messaging_service.shared.grpc import wire
from service_kit.errors import Violation, invalid
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
    EventType.SMS_FAILED: pb.CHANNEL_EVENT_SMS_FAILED,
    EventType.WEBHOOK_TEST: pb.CHANNEL_EVENT_TEST,
}
STATES: Mapping[DeliveryState, pb.ChannelDeliveryState.ValueType] = {
    DeliveryState.PENDING: pb.CHANNEL_DELIVERY_STATE_PENDING,
    DeliveryState.DELIVERED: pb.CHANNEL_DELIVERY_STATE_DELIVERED,
    DeliveryState.FAILED: pb.CHANNEL_DELIVERY_STATE_FAILED,
}
_EVENT_OF: Final[dict[int, EventType]] = {value: key for key, value in EVENTS.items()}
_STATE_OF: Final[dict[int, DeliveryState]] = {value: key for key, value in STATES.items()}
_CHANNEL_ID: Final = re.compile(r"channel_([0-9a-f]{32})")
_DELIVERY_ID: Final = re.compile(r"delivery_([0-9a-f]{32})")


def channel_id_of(text: str) -> UUID:
    """The id behind its public spelling; what cannot be an id does not exist."""
    if not text:
        raise invalid([Violation("channel_id", "REQUIRED", "is empty; give the id of a channel")])
    match = _CHANNEL_ID.fullmatch(text)
    if match is None:
        raise channel_not_found()
    return UUID(hex=match[1])


def delivery_id_of(text: str) -> UUID:
    """The id behind its public spelling; what cannot be an id does not exist."""
    match = _DELIVERY_ID.fullmatch(text)
    if match is None:
        raise channel_delivery_not_found()
    return UUID(hex=match[1])


def to_event(field: str, value: int) -> EventType:
    """The event of a number. Raises ServiceError INVALID naming the field."""
    if value not in _EVENT_OF:
        problem = f"has the unknown value {value}; use one of ChannelEvent but UNSPECIFIED"
        raise invalid([Violation(field, "INVALID_VALUE", problem)])
    return _EVENT_OF[value]


def to_events(values: Sequence[int]) -> tuple[EventType, ...]:
    """The events of numbers. Raises ServiceError INVALID naming the element."""
    return tuple(to_event(f"events[{place}]", value) for place, value in enumerate(values))


def to_state(value: int) -> DeliveryState | None:
    """The state of a number; None for any. Raises ServiceError INVALID."""
    if value and value not in _STATE_OF:
        problem = f"has the unknown value {value}; use one of ChannelDeliveryState"
        raise invalid([Violation("state", "INVALID_VALUE", problem)])
    return _STATE_OF.get(value)


def from_channel(endpoint: Endpoint) -> pb.Channel:
    """The public form of a channel."""
    failing = endpoint.failing_since
    return pb.Channel(
        channel_id=channel_id(endpoint.id),
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


def from_delivery(delivery: Delivery) -> pb.ChannelDelivery:
    """The public form of a delivery."""
    next_try, last_try = delivery.next_try_at, delivery.last_try_at
    return pb.ChannelDelivery(
        delivery_id=f"delivery_{delivery.id.hex}",
        event_id=delivery.event_id,
        event=EVENTS[delivery.event_type],
        state=STATES[delivery.state],
        tries=delivery.tries,
        created_time=wire.from_instant(delivery.created_at),
        next_try_time=None if next_try is None else wire.from_instant(next_try),
        last_try_time=None if last_try is None else wire.from_instant(last_try),
        last_status=delivery.last_status,
        last_error=delivery.last_error,
        replays=delivery.replays,
    )
