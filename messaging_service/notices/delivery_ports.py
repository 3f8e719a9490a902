"""The ports between events and endpoints: fan-out, the queue of deliveries, and the sender."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from messaging_service.notices.domain.endpoints import Answer, EndpointKind


@dataclass(frozen=True, slots=True)
class FanOutResult:
    """What one pass over the events did."""

    events: int
    """Events read."""
    deliveries: int
    """Deliveries recorded for them."""
    more: bool
    """Whether another pass would find more at once."""


class EventFanOut(Protocol):
    """Turns what happened to messages into deliveries. Raises ServiceError DATABASE_UNAVAILABLE."""

    async def fan_out(self, limit: int) -> FanOutResult:
        """Records the deliveries of up to `limit` next events, each once, whichever process does it.

        Records none while another process is at it.
        """
        ...

    async def give_up(self, limit: int) -> int:
        """Fails up to `limit` deliveries whose time is over; returns how many."""
        ...

    async def forget(self, keep_s: float, limit: int) -> int:
        """Deletes up to `limit` ended deliveries older than `keep_s` seconds; returns how many."""
        ...


@dataclass(frozen=True, slots=True)
class PendingDelivery:
    """One event that waits to be sent to an endpoint."""

    delivery_id: UUID
    event_id: str
    body: str
    """The CloudEvent as JSON text."""
    tries: int
    """Failed tries before this one."""


@dataclass(frozen=True, slots=True)
class DeliveryBatch:
    """What one process sends to one endpoint, which it has to itself meanwhile."""

    endpoint_id: UUID
    kind: EndpointKind
    url: str
    """As it may be shown; for a webhook also where to post."""
    secrets: tuple[str, ...] = field(repr=False)
    """Every secret that signs now, the newest first; for a channel its target in full."""
    deliveries: tuple[PendingDelivery, ...]
    """In the order in which they go out."""
    lease: str
    """Tells this turn at the endpoint from every other."""


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One try of a delivery, and how it ended."""

    delivery: PendingDelivery
    answer: Answer


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What the failed tries of a batch led to."""

    given_up: int
    """Deliveries that are not tried again."""
    disabled: bool
    """Whether the endpoint was disabled because it wants no more."""


class DeliveryQueue(Protocol):
    """Deliveries whose turn it is. Raises ServiceError DATABASE_UNAVAILABLE."""

    async def take(self, limit: int) -> Sequence[DeliveryBatch]:
        """Takes up to `limit` endpoints that have something to send and that no other process holds.

        Each stays with the caller until `finish`, or until its lease ends.
        """
        ...

    async def finish(self, batch: DeliveryBatch, attempts: Sequence[DeliveryAttempt]) -> BatchResult:
        """Records how the attempts ended, and lets go of the endpoint."""
        ...


class Sender(Protocol):
    """Sends to endpoints."""

    def post(self, batch: DeliveryBatch) -> AsyncGenerator[DeliveryAttempt, None]:
        """Sends a batch; never raises for what an endpoint does.

        To a webhook, one delivery after another, up to the first that is not taken or until time is over. To a channel,
        all of them in one text, so all have the same answer.
        """
        ...
