"""Webhooks and their deliveries as REST takes and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from google.protobuf.duration_pb2 import Duration
from msgspec import Meta

from gateway_http.shared.problem import invalid_fields
from gateway_http.shared.rest_instants import instant, timestamp
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
_Description = Annotated[str, Meta(description="What it is for, in your words.", extra_json_schema={"maxLength": 200})]
_MAX_OVERLAP_S = 30 * 86_400


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A webhook to make. `null` for an optional field is the same as leaving it out."""

    user_id: Annotated[
        str,
        Meta(description="The account whose events are wanted.", extra_json_schema={"minLength": 1, "maxLength": 64}),
    ]
    url: _Url
    events: _Events
    description: _Description | None = None

    def to_request(self) -> pb.CreateWebhookRequest:
        """The call that makes it; raises ProblemError for a list of no events."""
        return pb.CreateWebhookRequest(
            user_id=self.user_id,
            url=self.url,
            events=_numbers(self.events),
            description=self.description or "",
        )


def _numbers(events: Sequence[Wanted]) -> list[pb.WebhookEvent.ValueType]:
    # The wire cannot tell an empty list from none, so it is refused here.
    if not events:
        raise invalid_fields([Violation("events", "REQUIRED", "is empty; name the events that are wanted")])
    return [EVENTS[name] for name in events]


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What to change; what is left out, or `null`, stays."""

    url: _Url | None = None
    events: _Events | None = None
    description: _Description | None = None
    enabled: Annotated[bool | None, Meta(description="Whether events are recorded for it and posted.")] = None

    def to_request(self, webhook_id: str) -> pb.UpdateWebhookRequest:
        """The call that changes it; raises ProblemError for a list of no events."""
        return pb.UpdateWebhookRequest(
            webhook_id=webhook_id,
            url=self.url,
            events=() if self.events is None else _numbers(self.events),
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
            raise invalid_fields([Violation("overlapSeconds", "OUT_OF_RANGE", problem)])
        return pb.RotateWebhookSecretRequest(webhook_id=webhook_id, overlap=Duration(seconds=self.overlap_seconds))


class ReplayOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What to post again: one delivery, or a period."""

    delivery_id: Annotated[str | None, Meta(description="This delivery only.")] = None
    period_start: Annotated[
        str | None,
        Meta(description="Deliveries recorded from here on.", extra_json_schema={"format": "date-time"}),
    ] = msgspec.field(default=None, name="from")
    period_end: Annotated[
        str | None, Meta(description="To before here.", extra_json_schema={"format": "date-time"})
    ] = msgspec.field(default=None, name="to")
    include_delivered: Annotated[
        bool, Meta(description="Of a period: also what the endpoint took, not only what failed.")
    ] = False

    def to_request(self, webhook_id: str) -> pb.ReplayWebhookDeliveriesRequest:
        """The call that replays; raises ProblemError for times that are none."""
        given = {"from": self.period_start, "to": self.period_end}
        read = {name: timestamp(text, name) for name, text in given.items() if text is not None}
        if faults := [fault for fault in read.values() if isinstance(fault, Violation)]:
            raise invalid_fields(faults)
        start, end = read.get("from"), read.get("to")
        return pb.ReplayWebhookDeliveriesRequest(
            webhook_id=webhook_id,
            delivery_id=self.delivery_id,
            period_start=None if isinstance(start, Violation) else start,
            period_end=None if isinstance(end, Violation) else end,
            include_delivered=self.include_delivered,
        )


class Webhook(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An endpoint that events are posted to."""

    webhook_id: Annotated[str, Meta(description="Unique identifier of the webhook.")]
    user_id: Annotated[str, Meta(description="The account whose events it gets.")]
    url: _Url
    events: Annotated[Sequence[EventName], Meta(description="What it asks for.")]
    description: Annotated[str, Meta(description="What it is for; may be empty.")]
    enabled: Annotated[bool, Meta(description="Whether events are recorded for it and posted.")]
    created_at: Annotated[datetime, Meta(tz=True, description="When it was made, in UTC.")]
    previous_secret_until: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="Until when the secret before the last rotation signs too; null when only one secret does."),
    ]
    disabled_reason: Annotated[
        str | None, Meta(description="Why the service disabled it by itself: `GONE` after an answer 410; else null.")
    ]
    failing_since: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="Since when every try failed; null when the last one did not."),
    ]

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
    secret: Annotated[str, Meta(description="Checks signatures; shown only now. Keep it as you keep passwords.")]


class WebhookDelivery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One event on its way to one webhook."""

    delivery_id: Annotated[str, Meta(description="Unique identifier of the delivery.")]
    event_id: Annotated[str, Meta(description="The event's id, which is the header `webhook-id` of every try.")]
    event: Annotated[EventName, Meta(description="What it tells.")]
    state: Annotated[
        StateName,
        Meta(
            description="pending: waits for its turn or its next try. delivered: the endpoint answered with 2xx. "
            "failed: given up."
        ),
    ]
    tries: Annotated[int, Meta(ge=0, description="Tries since it was recorded or last replayed.")]
    created_at: Annotated[datetime, Meta(tz=True, description="When it was recorded, in UTC.")]
    next_try_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="The next try at the earliest; null once ended.")
    ]
    last_try_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="The last try; null before the first.")
    ]
    last_status: Annotated[int | None, Meta(description="The HTTP status of the last answer; null without one.")]
    last_error: Annotated[str | None, Meta(description="What went wrong in the last try; null when nothing did.")]
    replays: Annotated[int, Meta(ge=0, description="How often it was replayed.")]

    @classmethod
    def of(cls, delivery: pb.WebhookDelivery) -> WebhookDelivery:
        """The delivery of the messaging service as REST shows it."""
        return cls(
            delivery_id=delivery.delivery_id,
            event_id=delivery.event_id,
            event=_EVENT_NAMES[delivery.event],
            state=_STATE_NAMES[delivery.state],
            tries=delivery.tries,
            created_at=instant(delivery.created_time),
            next_try_at=instant(delivery.next_try_time) if delivery.HasField("next_try_time") else None,
            last_try_at=instant(delivery.last_try_time) if delivery.HasField("last_try_time") else None,
            last_status=delivery.last_status if delivery.HasField("last_status") else None,
            last_error=delivery.last_error if delivery.HasField("last_error") else None,
            replays=delivery.replays,
        )
