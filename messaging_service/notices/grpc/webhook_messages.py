"""Endpoints and deliveries from and to the wire."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from messaging_service.notices.domain.endpoints import Delivery, DeliveryState, Endpoint, EventType
from messaging_service.notices.manage_webhooks import delivery_not_found, webhook_id, webhook_not_found
from messaging_service.shared.grpc import wire
from service_kit.errors import Violation, invalid
from tukupay.sms.messaging.v1 import webhooks_pb2 as pb

EVENTS: Mapping[EventType, pb.WebhookEvent.ValueType] = {
    EventType.SMS_SENT: pb.WEBHOOK_EVENT_SMS_SENT,
    EventType.SMS_DELIVERED: pb.WEBHOOK_EVENT_SMS_DELIVERED,
    EventType.SMS_FAILED: pb.WEBHOOK_EVENT_SMS_FAILED,
    EventType.BALANCE_LOW: pb.WEBHOOK_EVENT_BALANCE_LOW,
    EventType.CARRIER_DOWN: pb.WEBHOOK_EVENT_CARRIER_DOWN,
    EventType.SMS_FAILING: pb.WEBHOOK_EVENT_SMS_FAILING,
    EventType.CARRIER_BALANCE_LOW: pb.WEBHOOK_EVENT_CARRIER_BALANCE_LOW,
    EventType.OUTCOMES_UNKNOWN: pb.WEBHOOK_EVENT_OUTCOMES_UNKNOWN,
    EventType.WEBHOOK_TEST: pb.WEBHOOK_EVENT_WEBHOOK_TEST,
}
DELIVERY_STATES: Mapping[DeliveryState, pb.WebhookDeliveryState.ValueType] = {
    DeliveryState.PENDING: pb.WEBHOOK_DELIVERY_STATE_PENDING,
    DeliveryState.DELIVERED: pb.WEBHOOK_DELIVERY_STATE_DELIVERED,
    DeliveryState.FAILED: pb.WEBHOOK_DELIVERY_STATE_FAILED,
}
_EVENT_OF: Final[dict[int, EventType]] = {value: key for key, value in EVENTS.items()}
_STATE_OF: Final[dict[int, DeliveryState]] = {value: key for key, value in DELIVERY_STATES.items()}
_WEBHOOK_ID: Final = re.compile(r"webhook_([0-9a-f]{32})")
_DELIVERY_ID: Final = re.compile(r"delivery_([0-9a-f]{32})")


def endpoint_id_of(text: str) -> UUID:
    """The id behind its public spelling; what cannot be an id does not exist."""
    if not text:
        raise invalid([Violation("webhook_id", "REQUIRED", "is empty; give the id of a webhook")])
    match = _WEBHOOK_ID.fullmatch(text)
    if match is None:
        raise webhook_not_found()
    return UUID(hex=match[1])


def delivery_id_of(text: str) -> UUID:
    """The id behind its public spelling; what cannot be an id does not exist."""
    match = _DELIVERY_ID.fullmatch(text)
    if match is None:
        raise delivery_not_found()
    return UUID(hex=match[1])


def to_event(field: str, value: int) -> EventType:
    """The event of a number. Raises ServiceError INVALID naming the field."""
    if value not in _EVENT_OF:
        problem = f"has the unknown value {value}; use one of WebhookEvent but UNSPECIFIED"
        raise invalid([Violation(field, "INVALID_VALUE", problem)])
    return _EVENT_OF[value]


def to_events(values: Sequence[int]) -> tuple[EventType, ...]:
    """The events of numbers. Raises ServiceError INVALID naming the element."""
    return tuple(to_event(f"events[{place}]", value) for place, value in enumerate(values))


def to_state(value: int) -> DeliveryState | None:
    """The state of a number; None for any. Raises ServiceError INVALID."""
    if value and value not in _STATE_OF:
        problem = f"has the unknown value {value}; use one of WebhookDeliveryState"
        raise invalid([Violation("state", "INVALID_VALUE", problem)])
    return _STATE_OF.get(value)


def from_endpoint(endpoint: Endpoint) -> pb.Webhook:
    """The public form of an endpoint."""
    until, failing = endpoint.previous_secret_until, endpoint.failing_since
    return pb.Webhook(
        webhook_id=webhook_id(endpoint.id),
        user_id=endpoint.account_id,
        url=endpoint.url,
        events=[EVENTS[event] for event in endpoint.events],
        description=endpoint.description,
        enabled=endpoint.enabled,
        created_time=wire.from_instant(endpoint.created_at),
        previous_secret_until_time=None if until is None else wire.from_instant(until),
        disabled_reason=endpoint.disabled_reason,
        failing_since_time=None if failing is None else wire.from_instant(failing),
    )


def from_delivery(delivery: Delivery) -> pb.WebhookDelivery:
    """The public form of a delivery."""
    next_try, last_try = delivery.next_try_at, delivery.last_try_at
    return pb.WebhookDelivery(
        delivery_id=f"delivery_{delivery.id.hex}",
        event_id=delivery.event_id,
        event=EVENTS[delivery.event_type],
        state=DELIVERY_STATES[delivery.state],
        tries=delivery.tries,
        created_time=wire.from_instant(delivery.created_at),
        next_try_time=None if next_try is None else wire.from_instant(next_try),
        last_try_time=None if last_try is None else wire.from_instant(last_try),
        last_status=delivery.last_status,
        last_error=delivery.last_error,
        replays=delivery.replays,
    )
