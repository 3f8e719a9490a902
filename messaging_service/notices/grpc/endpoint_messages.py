"""Endpoints and deliveries from and to the wire, in the messages of either family."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from messaging_service.notices.domain.endpoints import Delivery, DeliveryState, Endpoint, EventType
from messaging_service.notices.endpoint_families import EndpointFamily
from messaging_service.shared.domain import reasons
from messaging_service.shared.grpc import wire
from service_kit.errors import Violation, invalid

EndpointT = TypeVar("EndpointT")
"""The message of an endpoint."""
DeliveryT = TypeVar("DeliveryT")
"""The message of a delivery."""

_DELIVERY_ID: Final = re.compile(r"delivery_([0-9a-f]{32})")


@dataclass(frozen=True)
class EndpointMessages(Generic[EndpointT, DeliveryT]):
    """The messages of one family. Its two enums have the same words as the domain, under names of their own."""

    family: EndpointFamily
    event_enum: str
    """The name of the enum of events."""
    events: Mapping[EventType, int]
    state_enum: str
    """The name of the enum of states."""
    states: Mapping[DeliveryState, int]
    from_endpoint: Callable[[Endpoint], EndpointT]
    delivery: Callable[..., DeliveryT]
    """Makes the message of a delivery from its fields, which are the same in both families."""

    def endpoint_id_of(self, text: str) -> UUID:
        """The id of an endpoint. Raises ServiceError INVALID when empty; what cannot be an id does not exist."""
        noun = self.family.noun
        if not text:
            raise invalid([Violation(f"{noun}_id", reasons.REQUIRED, f"is empty; give the id of a {noun}")])
        match = re.fullmatch(rf"{noun}_([0-9a-f]{{32}})", text)
        if match is None:
            raise self.family.not_found()
        return UUID(hex=match[1])

    def delivery_id_of(self, text: str) -> UUID:
        """The id of a delivery; what cannot be an id does not exist."""
        match = _DELIVERY_ID.fullmatch(text)
        if match is None:
            raise self.family.delivery_not_found()
        return UUID(hex=match[1])

    def to_event(self, field: str, value: int) -> EventType:
        """The event of a number. Raises ServiceError INVALID naming the field."""
        for event, number in self.events.items():
            if number == value:
                return event
        problem = f"has the unknown value {value}; use one of {self.event_enum} but UNSPECIFIED"
        raise invalid([Violation(field, reasons.INVALID_VALUE, problem)])

    def to_events(self, values: Sequence[int]) -> tuple[EventType, ...]:
        """The events of numbers. Raises ServiceError INVALID naming the element."""
        return tuple(self.to_event(f"events[{place}]", value) for place, value in enumerate(values))

    def to_state(self, value: int) -> DeliveryState | None:
        """The state of a number; None for 0, which means any. Raises ServiceError INVALID."""
        found = next((state for state, number in self.states.items() if number == value), None)
        if value and found is None:
            problem = f"has the unknown value {value}; use one of {self.state_enum}"
            raise invalid([Violation("state", reasons.INVALID_VALUE, problem)])
        return found

    def from_delivery(self, delivery: Delivery) -> DeliveryT:
        """The public form of a delivery."""
        next_try, last_try = delivery.next_try_at, delivery.last_try_at
        fields: dict[str, Any] = {
            "delivery_id": f"delivery_{delivery.id.hex}",
            "event_id": delivery.event_id,
            "event": self.events[delivery.event_type],
            "state": self.states[delivery.state],
            "tries": delivery.tries,
            "created_time": wire.from_instant(delivery.created_at),
            "next_try_time": None if next_try is None else wire.from_instant(next_try),
            "last_try_time": None if last_try is None else wire.from_instant(last_try),
            "last_status": delivery.last_status,
            "last_error": delivery.last_error,
            "replays": delivery.replays,
        }
        return self.delivery(**fields)
