"""Events as receivers get them: CloudEvents 1.0 in JSON, version 1 of our data.

They hold neither texts nor phone numbers: receivers have both, and bodies end up in logs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from messaging_service.events.domain.outbox_event import OutboxEvent
from messaging_service.notices.domain.endpoints import EventType, event_of_state
from messaging_service.sending.domain.failures import failure_of
from messaging_service.shared.domain.message import outbox_id
from service_kit.access.principal import AccessMode
from service_kit.tracing.trace_context import HEADER, TraceContext, from_octets, from_traceparent

SCHEMA: Final = "urn:tukupay:sms:{type}:1"
"""Names the shape of `data`. Fields may be added to a version; changing or removing one makes the next."""


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One event, which every endpoint gets that asks for its type."""

    id: str
    """The same in every delivery and replay."""
    type: EventType
    account_id: str
    at: datetime
    subject: str
    """What it is about: an outbox id, an account, a carrier."""
    data: Mapping[str, Any]
    trace: TraceContext | None = None
    """The span that it comes from; None unless the message is sampled."""

    def body(self) -> str:
        """The JSON text that is signed and posted."""
        # CloudEvents' extension for traces; what delivers the event has a span of its own.
        traced = {} if self.trace is None else {HEADER: self.trace.traceparent}
        return json.dumps(
            {
                "specversion": "1.0",
                "id": self.id,
                "source": f"/tukupay/sms/accounts/{self.account_id}",
                "type": self.type.value,
                "subject": self.subject,
                "time": shown(self.at),
                "datacontenttype": "application/json",
                "dataschema": SCHEMA.format(type=self.type.value),
                **traced,
                "data": self.data,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )


def shown(instant: datetime) -> str:
    """RFC 3339 in UTC with a `Z`."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def of_outbox(event: OutboxEvent) -> CloudEvent | None:
    """The event of a message's change of state; None when its new state has none."""
    kind = event_of_state(event.to_state)
    if kind is None:
        return None
    entry = outbox_id(event.message_id)
    data: dict[str, Any] = {
        "outboxId": entry,
        "messageId": event.client_message_id,
        "userId": event.account_id,
        "status": event.status.value,
        "deliveryState": event.to_state.value,
        "attempt": event.attempt,
        "carrier": event.carrier,
        "errorCode": event.code,
        "errorDetails": None if event.code is None else failure_of(event.code).details,
    }
    if event.mode is AccessMode.TEST:
        data["mode"] = event.mode.value
    return CloudEvent(
        id=f"evt_{event.message_id.hex}_{event.id}",
        type=kind,
        account_id=event.account_id,
        at=event.at,
        subject=entry,
        data=data,
        trace=from_octets(event.trace_id),
    )


def trace_of(body: str) -> TraceContext | None:
    """The span that an event comes from, by its text; None for one that is not sampled."""
    # Quotes within values are escaped, so few events need a closer look.
    return from_traceparent(json.loads(body).get(HEADER)) if f'"{HEADER}":' in body else None
