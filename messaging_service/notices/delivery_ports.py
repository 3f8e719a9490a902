"""The ports to endpoints that want events, and to what is on its way to them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from messaging_service.notices.domain.cloud_event import CloudEvent
from messaging_service.notices.domain.endpoints import (
    Answer,
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointKind,
    EventType,
)


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint to make."""

    id: UUID
    account_id: str
    kind: EndpointKind
    url: str
    """As it may be shown."""
    events: tuple[EventType, ...]
    description: str
    secret: str
    """What signs; of a channel its target in full."""


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """What of an endpoint to change; None leaves it as it is."""

    url: str | None = None
    events: tuple[EventType, ...] | None = None
    description: str | None = None
    enabled: bool | None = None
    secret: str | None = None
    """Of a channel whose target changes; webhooks rotate theirs."""


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries of an endpoint to list. None means any."""

    state: DeliveryState | None = None
    event_type: EventType | None = None


@dataclass(frozen=True, slots=True)
class ReplayPeriod:
    """Deliveries recorded from an instant to before another one."""

    start: datetime
    end: datetime
    states: Collection[DeliveryState]
    """Of these only; pending ones go out anyhow."""


class EndpointStore(Protocol):
    """Endpoints of some kinds and their log; those of other kinds are not there for it.

    Every method raises ServiceError DATABASE_UNAVAILABLE when the database cannot be reached, and those that need an
    endpoint raise WEBHOOK_NOT_FOUND, or CHANNEL_NOT_FOUND.
    """

    async def create(self, new: NewEndpoint) -> Endpoint:
        """Makes an endpoint. Raises TOO_MANY_WEBHOOKS, or TOO_MANY_CHANNELS."""
        ...

    async def get(self, endpoint_id: UUID) -> Endpoint:
        """The endpoint as it stands."""
        ...

    async def of_account(self, account_id: str) -> Sequence[Endpoint]:
        """All of an account, oldest first."""
        ...

    async def change(self, endpoint_id: UUID, change: EndpointChange) -> Endpoint:
        """Changes an endpoint; one that is enabled is tried anew at once."""
        ...

    async def rotate(self, endpoint_id: UUID, secret: str, overlap: timedelta) -> Endpoint:
        """A new secret; the present one signs beside it for `overlap`."""
        ...

    async def delete(self, endpoint_id: UUID) -> None:
        """Deletes the endpoint and its secrets; what is on its way is given up."""
        ...

    async def record_event(self, endpoint_id: UUID, event: CloudEvent) -> Delivery:
        """Records an event for one endpoint, whatever it asks for."""
        ...

    async def deliveries(
        self, endpoint_id: UUID, wanted: DeliveryFilter, limit: int, after: tuple[datetime, UUID] | None
    ) -> Sequence[Delivery]:
        """Deliveries, newest first, those after a position."""
        ...

    async def replay(self, endpoint_id: UUID, delivery_id: UUID) -> Delivery:
        """Sends a delivery again. Raises WEBHOOK_DELIVERY_NOT_FOUND, or CHANNEL_DELIVERY_NOT_FOUND."""
        ...

    async def replay_period(self, endpoint_id: UUID, period: ReplayPeriod) -> int:
        """Sends what ended in a period again; how many."""
        ...


@dataclass(frozen=True, slots=True)
class FanOutResult:
    """What one look at the events came to."""

    events: int
    deliveries: int
    more: bool
    """Whether another look would find more at once."""


class EventFanOut(Protocol):
    """Turns what happened to messages into deliveries. Raises ServiceError DATABASE_UNAVAILABLE."""

    async def fan_out(self, limit: int) -> FanOutResult:
        """Records deliveries of the next events, each once, whichever process does it; none while another does."""
        ...

    async def give_up(self, limit: int) -> int:
        """Fails deliveries whose time is over; how many."""
        ...

    async def forget(self, keep_s: float, limit: int) -> int:
        """Deletes ended deliveries that are older; how many."""
        ...


@dataclass(frozen=True, slots=True)
class DeliveryBatch:
    """An endpoint that one process has to itself, with what it gets now, in its order."""

    endpoint_id: UUID
    kind: EndpointKind
    url: str
    secrets: tuple[str, ...]
    """Every secret that signs now, the newest first; of a channel its target in full."""
    deliveries: tuple[PendingDelivery, ...]
    lease: str
    """Tells this turn at the endpoint from every other."""


@dataclass(frozen=True, slots=True)
class PendingDelivery:
    """One delivery as it goes out."""

    delivery_id: UUID
    event_id: str
    body: str
    tries: int
    """Failed ones before this."""


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """What became of a delivery."""

    delivery: PendingDelivery
    answer: Answer


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What the tries of a batch decided, besides what was taken."""

    given_up: int
    """Deliveries that are not tried again."""
    disabled: bool
    """Whether the endpoint wants no more."""


class DeliveryQueue(Protocol):
    """Deliveries whose turn it is. Raises ServiceError DATABASE_UNAVAILABLE."""

    async def take(self, limit: int) -> Sequence[DeliveryBatch]:
        """Up to `limit` endpoints with something to send that nobody else is at.

        Each is ours until it is brought back, or its lease ends.
        """
        ...

    async def finish(self, batch: DeliveryBatch, tried: Sequence[DeliveryAttempt]) -> BatchResult:
        """Records what became of the deliveries that were tried, and lets go of the endpoint."""
        ...


class Sender(Protocol):
    """Posts to endpoints."""

    def post(self, batch: DeliveryBatch) -> AsyncGenerator[DeliveryAttempt, None]:
        """Posts the deliveries one after another, up to the first that is not taken or until time is over.

        To a channel all of them are one text, so all have the same answer.

        Never raises for what an endpoint does.
        """
        ...


class Targets(Protocol):
    """Which URLs may be called."""

    async def problem(self, url: str) -> str | None:
        """What is wrong with a URL, with where its name leads now; None for nothing."""
        ...
