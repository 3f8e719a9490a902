"""Events of an outbox entry as REST shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway_http.shared.outbox_entry import MODE_NAMES, STATE_NAMES, STATUS_NAMES, ModeField, State, Status
from gateway_http.shared.rest_instants import instant
from tukupay.sms.messaging.v1 import events_pb2


class OutboxEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One change of an SMS's state."""

    at: Annotated[datetime, Meta(tz=True, description="When it happened.")]
    attempt: Annotated[int, Meta(ge=1, description="1 for the first attempt, one more with each resend.")]
    from_state: Annotated[State | None, Meta(description="The state before; null for the first event.")]
    to_state: Annotated[State, Meta(description="The state from then on.")]
    status: Annotated[Status, Meta(description="`toState` as the `status` of the entry.")]
    carrier: Annotated[
        str | UnsetType, Meta(description="The carrier that it came from; absent when none was involved.")
    ] = UNSET
    error_code: Annotated[str | UnsetType, Meta(description="Stable code of the reason, when there is one.")] = UNSET
    error_details: Annotated[
        str | UnsetType, Meta(description="The reason in plain language, and what to do; only with a code.")
    ] = UNSET

    carrier_error_code: Annotated[
        str | UnsetType,
        Meta(description="The carrier's own error code in its delivery report; absent when it gave none."),
    ] = UNSET
    next_try_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | UnsetType,
        Meta(
            description="The earliest time of the next try, when this one was not taken and another follows by itself."
        ),
    ] = UNSET
    mode: ModeField = UNSET

    @classmethod
    def of(cls, event: events_pb2.OutboxEvent) -> OutboxEvent:
        """The event of the messaging service as REST shows it."""
        return cls(
            at=instant(event.event_time),
            attempt=event.attempt,
            from_state=STATE_NAMES[event.from_state] if event.from_state else None,
            to_state=STATE_NAMES[event.to_state],
            status=STATUS_NAMES[event.status],
            carrier=event.carrier if event.HasField("carrier") else UNSET,
            error_code=event.error_code if event.HasField("error_code") else UNSET,
            error_details=event.error_details if event.HasField("error_details") else UNSET,
            carrier_error_code=event.carrier_error_code if event.HasField("carrier_error_code") else UNSET,
            next_try_at=instant(event.next_try_time) if event.HasField("next_try_time") else UNSET,
            mode=MODE_NAMES.get(event.mode, UNSET),
        )
