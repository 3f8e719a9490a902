"""The messages of WebhookService."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from messaging_service.notices.domain.endpoints import DeliveryState, Endpoint, EventType
from messaging_service.notices.endpoint_families import WEBHOOKS
from messaging_service.notices.grpc.endpoint_messages import EndpointMessages
from messaging_service.shared.grpc import wire
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
    EventType.SMS_PUMPING: pb.WEBHOOK_EVENT_SMS_PUMPING,
    EventType.WEBHOOK_TEST: pb.WEBHOOK_EVENT_WEBHOOK_TEST,
}
STATES: Mapping[DeliveryState, pb.WebhookDeliveryState.ValueType] = {
    DeliveryState.PENDING: pb.WEBHOOK_DELIVERY_STATE_PENDING,
    DeliveryState.DELIVERED: pb.WEBHOOK_DELIVERY_STATE_DELIVERED,
    DeliveryState.FAILED: pb.WEBHOOK_DELIVERY_STATE_FAILED,
}


def from_webhook(endpoint: Endpoint) -> pb.Webhook:
    """The public form of a webhook."""
    until, failing = endpoint.previous_secret_until, endpoint.failing_since
    return pb.Webhook(
        webhook_id=WEBHOOKS.public_id(endpoint.id),
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


MESSAGES: Final = EndpointMessages(
    WEBHOOKS, "WebhookEvent", EVENTS, "WebhookDeliveryState", STATES, from_webhook, pb.WebhookDelivery
)
