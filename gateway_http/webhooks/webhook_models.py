"""Webhooks and their deliveries as REST takes and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from google.protobuf.duration_pb2 import Duration
from msgspec import Meta

from gateway_http.shared import reasons
from gateway_http.shared.endpoint_models import (
    CreatedAtField,
    DescriptionField,
    DisabledReasonField,
    EndpointDelivery,
    EndpointReplay,
    FailingSinceField,
    NewDescriptionField,
    NewUserIdField,
    UserIdField,
    delivery_values,
    numbers_of,
)
from gateway_http.shared.problem import invalid_fields
from gateway_http.shared.rest_instants import instant
from service_kit.errors import Violation
from tukupay.sms.messaging.v1 import webhooks_pb2 as pb

EventName = Literal[
    "sms.sent",
    "sms.delivered",
    "sms.failed",
    "sms.failing",
    "balance.low",
    "carrier.down",
    "carrier.balance_low",
    "outcomes.unknown",
    "sms.pumping",
    "webhook.test",
]
Wanted = Literal[
    "sms.sent",
    "sms.delivered",
    "sms.failed",
    "sms.failing",
    "balance.low",
    "carrier.down",
    "carrier.balance_low",
    "outcomes.unknown",
    "sms.pumping",
]
StateName = Literal["pending", "delivered", "failed"]

EVENTS: dict[EventName, pb.WebhookEvent.ValueType] = {
    "sms.sent": pb.WEBHOOK_EVENT_SMS_SENT,
    "sms.delivered": pb.WEBHOOK_EVENT_SMS_DELIVERED,
    "sms.failed": pb.WEBHOOK_EVENT_SMS_FAILED,
    "balance.low": pb.WEBHOOK_EVENT_BALANCE_LOW,
    "carrier.down": pb.WEBHOOK_EVENT_CARRIER_DOWN,
    "sms.failing": pb.WEBHOOK_EVENT_SMS_FAILING,
    "carrier.balance_low": pb.WEBHOOK_EVENT_CARRIER_BALANCE_LOW,
    "outcomes.unknown": pb.WEBHOOK_EVENT_OUTCOMES_UNKNOWN,
    "sms.pumping": pb.WEBHOOK_EVENT_SMS_PUMPING,
    "webhook.test": pb.WEBHOOK_EVENT_WEBHOOK_TEST,
}
STATES: dict[StateName, pb.WebhookDeliveryState.ValueType] = {
    "pending": pb.WEBHOOK_DELIVERY_STATE_PENDING,
    "delivered": pb.WEBHOOK_DELIVERY_STATE_DELIVERED,
    "failed": pb.WEBHOOK_DELIVERY_STATE_FAILED,
}
_EVENT_NAMES: dict[int, EventName] = {value: name for name, value in EVENTS.items()}
_STATE_NAMES: dict[int, StateName] = {value: name for name, value in STATES.items()}

_Url = Annotated[
    str,
    Meta(
        description="An https URL whose host leads to public addresses only.",
        extra_json_schema={"minLength": 1, "maxLength": 2000, "examples": ["https://example.com/hooks"]},
    ),
]
_Events = Annotated[Sequence[Wanted], Meta(description="What is wanted.", extra_json_schema={"minItems": 1})]
_MAX_OVERLAP_S = 30 * 86_400


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A webhook to make. `null` for an optional field is the same as leaving it out."""

    user_id: NewUserIdField
    url: _Url
    events: _Events
    description: NewDescriptionField | None = None

    def to_request(self) -> pb.CreateWebhookRequest:
        """The call that makes it; raises ProblemError for a list of no events."""
        return pb.CreateWebhookRequest(
            user_id=self.user_id,
            url=self.url,
            events=numbers_of(self.events, EVENTS),
            description=self.description or "",
        )


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What to change; what is left out, or `null`, stays."""

    url: _Url | None = None
    events: _Events | None = None
    description: NewDescriptionField | None = None
    enabled: Annotated[bool | None, Meta(description="Whether events are recorded for it and posted.")] = None

    def to_request(self, webhook_id: str) -> pb.UpdateWebhookRequest:
        """The call that changes it; raises ProblemError for a list of no events."""
        return pb.UpdateWebhookRequest(
            webhook_id=webhook_id,
            url=self.url,
            events=() if self.events is None else numbers_of(self.events, EVENTS),
            description=self.description,
            enabled=self.enabled,
        )


class SecretRotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """How to change over to a new secret."""

    overlap_seconds: Annotated[
        int | None,
        Meta(
            description="How long the present secret signs beside the new one; a day unless given.",
            extra_json_schema={"minimum": 0, "maximum": _MAX_OVERLAP_S},
        ),
    ] = None

    def to_request(self, webhook_id: str) -> pb.RotateWebhookSecretRequest:
        """The call that rotates; raises ProblemError for a number that is out of range."""
        if self.overlap_seconds is None:
            return pb.RotateWebhookSecretRequest(webhook_id=webhook_id)
        if not 0 <= self.overlap_seconds <= _MAX_OVERLAP_S:
            problem = f"is not 0 to {_MAX_OVERLAP_S:,} seconds, which are 30 days; give one in between"
            raise invalid_fields([Violation("overlapSeconds", reasons.OUT_OF_RANGE, problem)])
        return pb.RotateWebhookSecretRequest(webhook_id=webhook_id, overlap=Duration(seconds=self.overlap_seconds))


class ReplayOrder(EndpointReplay, frozen=True, kw_only=True):
    """What to post again: one delivery, or a period."""

    include_delivered: Annotated[
        bool, Meta(description="Of a period: also deliveries that succeeded, not only those that failed.")
    ] = False

    def to_request(self, webhook_id: str) -> pb.ReplayWebhookDeliveriesRequest:
        """The call that replays; raises ProblemError for times that are none."""
        start, end = self.period()
        return pb.ReplayWebhookDeliveriesRequest(
            webhook_id=webhook_id,
            delivery_id=self.delivery_id,
            period_start=start,
            period_end=end,
            include_delivered=self.include_delivered,
        )


class Webhook(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An endpoint that events are posted to."""

    webhook_id: Annotated[str, Meta(description="Unique identifier of the webhook.")]
    user_id: UserIdField
    url: _Url
    events: Annotated[Sequence[EventName], Meta(description="What it asks for.")]
    description: DescriptionField
    enabled: Annotated[bool, Meta(description="Whether events are recorded for it and posted.")]
    created_at: CreatedAtField
    previous_secret_until: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="Until when the secret before the last rotation signs too; null when only one secret does."),
    ]
    disabled_reason: DisabledReasonField
    failing_since: FailingSinceField

    @classmethod
    def of(cls, webhook: pb.Webhook) -> Webhook:
        """The webhook of the messaging service as REST shows it."""
        overlaps, failing = webhook.HasField("previous_secret_until_time"), webhook.HasField("failing_since_time")
        return cls(
            webhook_id=webhook.webhook_id,
            user_id=webhook.user_id,
            url=webhook.url,
            events=[_EVENT_NAMES[event] for event in webhook.events],
            description=webhook.description,
            enabled=webhook.enabled,
            created_at=instant(webhook.created_time),
            previous_secret_until=instant(webhook.previous_secret_until_time) if overlaps else None,
            disabled_reason=webhook.disabled_reason if webhook.HasField("disabled_reason") else None,
            failing_since=instant(webhook.failing_since_time) if failing else None,
        )


class WebhookWithSecret(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A webhook with its new secret."""

    webhook: Webhook
    secret: Annotated[str, Meta(description="Checks signatures; shown only now. Keep it as safe as a password.")]


class WebhookDelivery(EndpointDelivery, frozen=True, kw_only=True):
    """One event on its way to one webhook."""

    event_id: Annotated[str, Meta(description="The event's id, which is the header `webhook-id` of every try.")]
    event: Annotated[EventName, Meta(description="What happened.")]
    state: Annotated[
        StateName,
        Meta(
            description="pending: waits for its turn or its next try. delivered: the endpoint answered with 2xx. "
            "failed: given up."
        ),
    ]

    @classmethod
    def of(cls, delivery: pb.WebhookDelivery) -> WebhookDelivery:
        """The delivery of the messaging service as REST shows it."""
        event, state = _EVENT_NAMES[delivery.event], _STATE_NAMES[delivery.state]
        return cls(**delivery_values(delivery), event=event, state=state)
