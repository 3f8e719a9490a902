"""The port to the endpoints of one family and the log of their deliveries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from messaging_service.notices.domain.cloud_event import CloudEvent
from messaging_service.notices.domain.endpoints import Delivery, DeliveryState, Endpoint, EndpointKind, EventType
from service_kit.access.principal import Accounts
from service_kit.audit.actor import Actor


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint to create."""

    id: UUID
    account_id: str
    kind: EndpointKind
    url: str
    """As it may be shown."""
    events: tuple[EventType, ...]
    description: str
    secret: str = field(repr=False)
    """What signs; for a channel its target in full."""


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """What to change about an endpoint; None leaves it as it is."""

    url: str | None = None
    events: tuple[EventType, ...] | None = None
    description: str | None = None
    enabled: bool | None = None
    secret: str | None = field(default=None, repr=False)
    """The new target of a channel in full. None for a webhook: its secret is rotated."""


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries of an endpoint to list. None means any."""

    state: DeliveryState | None = None
    event_type: EventType | None = None


@dataclass(frozen=True, slots=True)
class ReplayPeriod:
    """Deliveries recorded from `start` to before `end`."""

    start: datetime
    end: datetime
    states: Collection[DeliveryState]
    """Only those in these states; pending ones go out anyhow."""


class EndpointStore(Protocol):
    """Endpoints of one family; those of the other are not found. What an actor changes is audited.

    Every method raises ServiceError DATABASE_UNAVAILABLE when the database cannot be reached. Those that take an
    endpoint's id raise the family's reason `not_found`, also for one that belongs to none of the caller's `accounts`,
    which are None for all.
    """

    async def create(self, new: NewEndpoint, *, actor: Actor) -> Endpoint:
        """Creates an endpoint. Raises the family's reason `too_many`."""
        ...

    async def get(self, endpoint_id: UUID, accounts: Accounts) -> Endpoint:
        """The endpoint as it stands."""
        ...

    async def of_account(self, account_id: str) -> Sequence[Endpoint]:
        """All endpoints of an account, oldest first."""
        ...

    async def change(self, endpoint_id: UUID, accounts: Accounts, change: EndpointChange, *, actor: Actor) -> Endpoint:
        """Changes an endpoint. Its failures are forgotten, so it is tried again at once."""
        ...

    async def rotate(
        self, endpoint_id: UUID, accounts: Accounts, secret: str, overlap: timedelta, *, actor: Actor
    ) -> Endpoint:
        """Replaces the secret; the present one signs beside it for `overlap`."""
        ...

    async def delete(self, endpoint_id: UUID, accounts: Accounts, *, actor: Actor) -> None:
        """Deletes the endpoint and its secrets; what is on its way is given up."""
        ...

    async def record_event(self, endpoint_id: UUID, accounts: Accounts, event: CloudEvent) -> Delivery:
        """Records an event for one endpoint, whatever it asks for."""
        ...

    async def deliveries(
        self,
        endpoint_id: UUID,
        accounts: Accounts,
        wanted: DeliveryFilter,
        limit: int,
        after: tuple[datetime, UUID] | None,
    ) -> Sequence[Delivery]:
        """Up to `limit` deliveries, newest first. `after`: where the page before ended; None for the first page."""
        ...

    async def replay(self, endpoint_id: UUID, accounts: Accounts, delivery_id: UUID) -> Delivery:
        """Sends a delivery again. Raises the family's reason `delivery_not_found`."""
        ...

    async def replay_period(self, endpoint_id: UUID, accounts: Accounts, period: ReplayPeriod) -> int:
        """Sends again what ended in a period; returns how many deliveries."""
        ...
