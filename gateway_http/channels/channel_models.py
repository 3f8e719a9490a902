"""Channels and their deliveries as REST takes and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

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
from gateway_http.shared.rest_instants import instant
from tukupay.sms.messaging.v1 import channels_pb2 as pb

ChannelEventName = Literal[
    "balance.low",
    "sms.failing",
    "outcomes.unknown",
    "carrier.down",
    "carrier.balance_low",
    "sms.pumping",
    "sms.failed",
    "channel.test",
]
_Wanted = Literal[
    "balance.low", "sms.failing", "outcomes.unknown", "carrier.down", "carrier.balance_low", "sms.pumping", "sms.failed"
]
ChannelKindName = Literal["service", "email"]
ChannelStateName = Literal["pending", "delivered", "failed"]

EVENTS: dict[ChannelEventName, pb.ChannelEvent.ValueType] = {
    "balance.low": pb.CHANNEL_EVENT_BALANCE_LOW,
    "sms.failing": pb.CHANNEL_EVENT_SMS_FAILING,
    "outcomes.unknown": pb.CHANNEL_EVENT_OUTCOMES_UNKNOWN,
    "carrier.down": pb.CHANNEL_EVENT_CARRIER_DOWN,
    "carrier.balance_low": pb.CHANNEL_EVENT_CARRIER_BALANCE_LOW,
    "sms.pumping": pb.CHANNEL_EVENT_SMS_PUMPING,
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


class NewChannel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A channel to make, by `url` or by `email`. `null` for an optional field is the same as leaving it out."""

    user_id: NewUserIdField
    url: _Url | None = None
    email: _Email | None = None
    events: (
        Annotated[
            Sequence[_Wanted],
            Meta(description="What is wanted; every alert unless given.", extra_json_schema={"minItems": 1}),
        ]
        | None
    ) = None
    description: NewDescriptionField | None = None

    def to_request(self) -> pb.CreateChannelRequest:
        """The call that makes it; raises ProblemError for a list of no events."""
        return pb.CreateChannelRequest(
            user_id=self.user_id,
            url=self.url or "",
            email=self.email or "",
            events=() if self.events is None else numbers_of(self.events, EVENTS),
            description=self.description or "",
        )


class ChannelChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What to change; what is left out, or `null`, stays. A channel keeps its kind."""

    url: _Url | None = None
    email: _Email | None = None
    events: _Events | None = None
    description: NewDescriptionField | None = None
    enabled: Annotated[bool | None, Meta(description="Whether events are recorded for it and sent.")] = None

    def to_request(self, channel_id: str) -> pb.UpdateChannelRequest:
        """The call that changes it; raises ProblemError for a list of no events."""
        return pb.UpdateChannelRequest(
            channel_id=channel_id,
            url=self.url,
            email=self.email,
            events=() if self.events is None else numbers_of(self.events, EVENTS),
            description=self.description,
            enabled=self.enabled,
        )


class ChannelReplay(EndpointReplay, frozen=True, kw_only=True):
    """What to send again: one delivery, or what was given up in a period."""

    def to_request(self, channel_id: str) -> pb.ReplayChannelDeliveriesRequest:
        """The call that replays; raises ProblemError for times that are none."""
        start, end = self.period()
        return pb.ReplayChannelDeliveriesRequest(
            channel_id=channel_id, delivery_id=self.delivery_id, period_start=start, period_end=end
        )


class Channel(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A place where people are notified."""

    channel_id: Annotated[str, Meta(description="Unique identifier of the channel.")]
    user_id: UserIdField
    kind: Annotated[ChannelKindName, Meta(description="A messenger or duty roster, or a mailbox.")]
    target: Annotated[str, Meta(description="The address of a mailbox, or the URL of a service without its secrets.")]
    events: Annotated[Sequence[ChannelEventName], Meta(description="What it asks for.")]
    description: DescriptionField
    enabled: Annotated[bool, Meta(description="Whether events are recorded for it and sent.")]
    created_at: CreatedAtField
    disabled_reason: DisabledReasonField
    failing_since: FailingSinceField

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


class ChannelDelivery(EndpointDelivery, frozen=True, kw_only=True):
    """One event on its way to one channel."""

    event: Annotated[ChannelEventName, Meta(description="What happened.")]
    state: Annotated[ChannelStateName, Meta(description="How it stands.")]
    last_status: Annotated[
        int | None, Meta(description="The HTTP status of the last answer; null without one, and for mail.")
    ]

    @classmethod
    def of(cls, delivery: pb.ChannelDelivery) -> ChannelDelivery:
        """The delivery of the messaging service as REST shows it."""
        event, state = _EVENT_NAMES[delivery.event], _STATE_NAMES[delivery.state]
        return cls(**delivery_values(delivery), event=event, state=state)
