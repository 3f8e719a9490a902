"""What webhooks and channels have in common, as REST takes and shows it. Both are endpoints that events go to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, TypedDict, TypeVar

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import Meta

from gateway_http.shared import reasons
from gateway_http.shared.problem import invalid_fields
from gateway_http.shared.rest_instants import instant, timestamp
from service_kit.errors import Violation
from tukupay.sms.messaging.v1 import channels_pb2, webhooks_pb2

Word = TypeVar("Word", bound=str)
Number = TypeVar("Number", bound=int)

_Instant = Annotated[datetime, Meta(tz=True)]
NewUserIdField = Annotated[
    str, Meta(description="The account whose events are wanted.", extra_json_schema={"minLength": 1, "maxLength": 64})
]
NewDescriptionField = Annotated[
    str, Meta(description="What it is for, in your words.", extra_json_schema={"maxLength": 200})
]
UserIdField = Annotated[str, Meta(description="The account whose events it gets.")]
DescriptionField = Annotated[str, Meta(description="What it is for; may be empty.")]
CreatedAtField = Annotated[datetime, Meta(tz=True, description="When it was made, in UTC.")]
DisabledReasonField = Annotated[
    str | None, Meta(description="Why the service disabled it by itself: `GONE` after an answer 410; else null.")
]
FailingSinceField = Annotated[
    _Instant | None, Meta(description="Since when every try has failed; null when the last one succeeded.")
]


def numbers_of(events: Sequence[Word], numbers: Mapping[Word, Number]) -> list[Number]:
    """The events that are wanted, as the wire has them. Raises ProblemError for none."""
    # The wire cannot tell an empty list from none, so it is refused here.
    if not events:
        raise invalid_fields([Violation("events", reasons.REQUIRED, "is empty; name the events that are wanted")])
    return [numbers[name] for name in events]


class EndpointReplay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What to send again: one delivery, or those of a period."""

    delivery_id: Annotated[str | None, Meta(description="This delivery only.")] = None
    period_start: Annotated[
        str | None,
        Meta(description="Deliveries recorded from here on.", extra_json_schema={"format": "date-time"}),
    ] = msgspec.field(default=None, name="from")
    period_end: Annotated[
        str | None, Meta(description="Deliveries recorded before here.", extra_json_schema={"format": "date-time"})
    ] = msgspec.field(default=None, name="to")

    def period(self) -> tuple[Timestamp | None, Timestamp | None]:
        """The first instant and the first one after it, each None when it was left out. Raises ProblemError."""
        given = {"from": self.period_start, "to": self.period_end}
        read = {name: timestamp(text, name) for name, text in given.items() if text is not None}
        if faults := [fault for fault in read.values() if isinstance(fault, Violation)]:
            raise invalid_fields(faults)
        times = {name: time for name, time in read.items() if isinstance(time, Timestamp)}
        return times.get("from"), times.get("to")


class Replayed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is posted again."""

    replayed: Annotated[int, Meta(ge=0, description="How many deliveries.")]


class EndpointDelivery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One event on its way to one endpoint."""

    delivery_id: Annotated[str, Meta(description="Unique identifier of the delivery.")]
    event_id: Annotated[str, Meta(description="The event's id.")]
    event: Annotated[str, Meta(description="What happened.")]
    state: Annotated[str, Meta(description="How it stands.")]
    tries: Annotated[int, Meta(ge=0, description="Tries since it was recorded or last replayed.")]
    created_at: Annotated[datetime, Meta(tz=True, description="When it was recorded, in UTC.")]
    next_try_at: Annotated[_Instant | None, Meta(description="The next try at the earliest; null once ended.")]
    last_try_at: Annotated[_Instant | None, Meta(description="The last try; null before the first.")]
    last_status: Annotated[int | None, Meta(description="The HTTP status of the last answer; null without one.")]
    last_error: Annotated[str | None, Meta(description="What went wrong in the last try; null when nothing did.")]
    replays: Annotated[int, Meta(ge=0, description="How often it was replayed.")]


class DeliveryValues(TypedDict):
    """The fields of a delivery but for its event and its state, whose words differ between webhooks and channels."""

    delivery_id: str
    event_id: str
    tries: int
    created_at: datetime
    next_try_at: datetime | None
    last_try_at: datetime | None
    last_status: int | None
    last_error: str | None
    replays: int


def delivery_values(delivery: webhooks_pb2.WebhookDelivery | channels_pb2.ChannelDelivery) -> DeliveryValues:
    """What the messaging service says of a delivery, as REST shows it."""
    return DeliveryValues(
        delivery_id=delivery.delivery_id,
        event_id=delivery.event_id,
        tries=delivery.tries,
        created_at=instant(delivery.created_time),
        next_try_at=instant(delivery.next_try_time) if delivery.HasField("next_try_time") else None,
        last_try_at=instant(delivery.last_try_time) if delivery.HasField("last_try_time") else None,
        last_status=delivery.last_status if delivery.HasField("last_status") else None,
        last_error=delivery.last_error if delivery.HasField("last_error") else None,
        replays=delivery.replays,
    )
