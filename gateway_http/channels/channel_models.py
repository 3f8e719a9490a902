"""Channels and their deliveries as REST takes and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway_http.shared.problem import invalid_fields
from gateway_http.shared.rest_instants import instant, timestamp
from service_kit.errors import Violation
from tukupay.sms.messaging.v1 import channels_pb2 as pb

ChannelEventName = Literal[
    "balance.low",
    "sms.failing",
    "outcomes.unknown",
    "carrier.down",
    "carrier.balance_low",
    "sms.failed",
    "channel.test",
]
_Wanted = Literal["balance.low", "sms.failing", "outcomes.unknown", "carrier.down", "carrier.balance_low", "sms.failed"]
ChannelKindName = Literal["service", "email"]
ChannelStateName = Literal["pending", "delivered", "failed"]

EVENTS: dict[ChannelEventName, pb.ChannelEvent.ValueType] = {
    "balance.low": pb.CHANNEL_EVENT_BALANCE_LOW,
    "sms.failing": pb.CHANNEL_EVENT_SMS_FAILING,
    "outcomes.unknown": pb.CHANNEL_EVENT_OUTCOMES_UNKNOWN,
    "carrier.down": pb.CHANNEL_EVENT_CARRIER_DOWN,
    "carrier.balance_low": pb.CHANNEL_EVENT_CARRIER_BALANCE_LOW,
    "sms.failed": pb.CHANNEL_EVENT_SMS_FAILED,
    "channel.test": pb.CHANNEL_EVENT_TEST,
}
STATES: dict[ChannelStateName, pb.ChannelDeliveryState.ValueType] = {
    "pending": pb.CHANNEL_DELIVERY_STATE_PENDING,
    "delivered": pb.CHANNEL_DELIVERY_STATE_DELIVERED,
    "failed": pb.CHANNEL_DELIVERY_STATE_FAILED,
}
_KIND_NAMES: dict[int, ChannelKindName] = {pb.CHANNEL_KIND_SERVICE: "service", pb.CHANNEL_KIND_EMAIL: "email"}
_EVENT_NAMES: dict[int, ChannelEventName] = {value: name for name, value in EVENTS.items()}
_STATE_NAMES: dict[int, ChannelStateName] = {value: name for name, value in STATES.items()}

_Url = Annotated[
    str,
    Meta(
        description="The URL of a room as apprise writes it, or as the service itself shows it. Not shown again.",
        extra_json_schema={"minLength": 1, "maxLength": 2000, "examples": ["slack://TOKEN/TOKEN/TOKEN/#duty"]},
    ),
]
_Email = Annotated[
    str,
    Meta(
        description="The address of a mailbox, without a name.",
        extra_json_schema={"minLength": 1, "maxLength": 254, "examples": ["duty@example.com"]},
    ),
]
_Events = Annotated[Sequence[_Wanted], Meta(description="What is wanted.", extra_json_schema={"minItems": 1})]
_Description = Annotated[str, Meta(description="What it is for, in your words.", extra_json_schema={"maxLength": 200})]


class NewChannel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A channel to make, by `url` or by `email`. `null` for an optional field is the same as leaving it out."""

    user_id: Annotated[
        str,
        Meta(description="The account whose events are wanted.", extra_json_schema={"minLength": 1, "maxLength": 64}),
    ]
    url: _Url | None = None
    email: _Email | None = None
    events: (
        Annotated[
            Sequence[_Wanted],
            Meta(description="What is wanted; every alert unless given.", extra_json_schema={"minItems": 1}),
        ]
        | None
    ) = None
    description: _Description | None = None

    def to_request(self) -> pb.CreateChannelRequest:
        """The call that makes it; raises ProblemError for a list of no events."""
        return pb.CreateChannelRequest(
            user_id=self.user_id,
            url=self.url or "",
            email=self.email or "",
            events=() if self.events is None else _numbers(self.events),
            description=self.description or "",
        )


def _numbers(events: Sequence[_Wanted]) -> list[pb.ChannelEvent.ValueType]:
    # The wire cannot tell an empty list from none, so it is refused here.
    if not events:
        raise invalid_fields([Violation("events", "REQUIRED", "is empty; name the events that are wanted")])
    return [EVENTS[name] for name in events]


class ChannelChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What to change; what is left out, or `null`, stays. A channel keeps its kind."""

    url: _Url | None = None
    email: _Email | None = None
    events: _Events | None = None
    description: _Description | None = None
    enabled: Annotated[bool | None, Meta(description="Whether events are recorded for it and told.")] = None

    def to_request(self, channel_id: str) -> pb.UpdateChannelRequest:
        """The call that changes it; raises ProblemError for a list of no events."""
        return pb.UpdateChannelRequest(
            channel_id=channel_id,
            url=self.url,
            email=self.email,
            events=() if self.events is None else _numbers(self.events),
            description=self.description,
            enabled=self.enabled,
        )


class ChannelReplay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What to tell of again: one delivery, or what was given up in a period."""

    delivery_id: Annotated[str | None, Meta(description="This delivery only.")] = None
    period_start: Annotated[
        str | None,
        Meta(description="Deliveries recorded from here on.", extra_json_schema={"format": "date-time"}),
    ] = msgspec.field(default=None, name="from")
    period_end: Annotated[
        str | None, Meta(description="To before here.", extra_json_schema={"format": "date-time"})
    ] = msgspec.field(default=None, name="to")

    def to_request(self, channel_id: str) -> pb.ReplayChannelDeliveriesRequest:
        """The call that replays; raises ProblemError for times that are none."""
        given = {"from": self.period_start, "to": self.period_end}
        read = {name: timestamp(text, name) for name, text in given.items() if text is not None}
        if faults := [fault for fault in read.values() if isinstance(fault, Violation)]:
            raise invalid_fields(faults)
        start, end = read.get("from"), read.get("to")
        return pb.ReplayChannelDeliveriesRequest(
            channel_id=channel_id,
            delivery_id=self.delivery_id,
            period_start=None if isinstance(start, Violation) else start,
            period_end=None if isinstance(end, Violation) else end,
        )


class Channel(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A place where people are told."""

    channel_id: Annotated[str, Meta(description="Unique identifier of the channel.")]
    user_id: Annotated[str, Meta(description="The account whose events it gets.")]
    kind: Annotated[ChannelKindName, Meta(description="A messenger or duty roster, or a mailbox.")]
    target: Annotated[str, Meta(description="The address of a mailbox, or the URL of a service without its secrets.")]
    events: Annotated[Sequence[ChannelEventName], Meta(description="What it asks for.")]
    description: Annotated[str, Meta(description="What it is for; may be empty.")]
    enabled: Annotated[bool, Meta(description="Whether events are recorded for it and told.")]
    created_at: Annotated[datetime, Meta(tz=True, description="When it was made, in UTC.")]
    disabled_reason: Annotated[
        str | None, Meta(description="Why the service disabled it by itself: `GONE` after an answer 410; else null.")
    ]
    failing_since: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="Since when every try failed; null when the last one did not."),
    ]

    @classmethod
    def of(cls, channel: pb.Channel) -> Channel:
        """The channel of the messaging service as REST shows it."""
        return cls(
            channel_id=channel.channel_id,
            user_id=channel.user_id,
            kind=_KIND_NAMES[channel.kind],
            target=channel.target,
            events=[_EVENT_NAMES[event] for event in channel.events],
            description=channel.description,
            enabled=channel.enabled,
            created_at=instant(channel.created_time),
            disabled_reason=channel.disabled_reason if channel.HasField("disabled_reason") else None,
            failing_since=instant(channel.failing_since_time) if channel.HasField("failing_since_time") else None,
        )


class ChannelDelivery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One event on its way to one channel."""

    delivery_id: Annotated[str, Meta(description="Unique identifier of the delivery.")]
    event_id: Annotated[str, Meta(description="The event's id.")]
    event: Annotated[ChannelEventName, Meta(description="What it tells.")]
    state: Annotated[ChannelStateName, Meta(description="How it stands.")]
    tries: Annotated[int, Meta(ge=0, description="Tries since it was recorded or last replayed.")]
    created_at: Annotated[datetime, Meta(tz=True, description="When it was recorded, in UTC.")]
    next_try_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="The next try at the earliest; null once ended.")
    ]
    last_try_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="The last try; null before the first.")
    ]
    last_status: Annotated[
        int | None, Meta(description="The HTTP status of the last answer; null without one, and for mail.")
    ]
    last_error: Annotated[str | None, Meta(description="What went wrong in the last try; null when nothing did.")]
    replays: Annotated[int, Meta(ge=0, description="How often it was replayed.")]

    @classmethod
    def of(cls, delivery: pb.ChannelDelivery) -> ChannelDelivery:
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
