"""Makes, changes and deletes channels, tests them, and tells again what they missed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from messaging_service.notices.channel_ports import ChannelTargets
from messaging_service.notices.delivery_ports import (
    DeliveryFilter,
    EndpointChange,
    EndpointStore,
    NewEndpoint,
    ReplayPeriod,
)
from messaging_service.notices.domain.channels import CHANNEL_EVENTS, DEFAULT_EVENTS
from messaging_service.notices.domain.cloud_event import CloudEvent
from messaging_service.notices.domain.endpoints import Delivery, DeliveryState, Endpoint, EndpointKind, EventType
from messaging_service.notices.manage_webhooks import account_faults, description_faults, new_account_faults
from service_kit.errors import Kind, ServiceError, Violation, invalid

FIELDS: Final = {EndpointKind.SERVICE: "url", EndpointKind.EMAIL: "email"}
"""The field that holds the target of a kind."""


@dataclass(frozen=True, slots=True)
class ChannelChange:
    """What of a channel to change; None leaves it as it is."""

    url: str | None = None
    email: str | None = None
    events: tuple[EventType, ...] | None = None
    description: str | None = None
    enabled: bool | None = None


class ManageChannels:
    """The use cases behind ChannelService."""

    def __init__(
        self,
        endpoints: EndpointStore,
        targets: ChannelTargets,
        *,
        new_id: Callable[[], UUID],
        now: Callable[[], datetime],
    ) -> None:
        self._endpoints = endpoints
        self._targets = targets
        self._new_id = new_id
        self._now = now

    async def create(
        self, account_id: str, url: str, email: str, events: Sequence[EventType], description: str
    ) -> Endpoint:
        """Makes a channel to the URL of a service, or to an email address.

        Without events it gets every alert. Raises ServiceError INVALID that names every field at fault,
        TOO_MANY_CHANNELS, or CHANNELS_BUSY.
        """
        faults = new_account_faults(account_id) + _event_faults(events) + description_faults(description)
        if bool(url) == bool(email):
            problem = "and email are both given; make a channel of each" if url else "is empty, as is email; give one"
            raise invalid([Violation("url", "REQUIRED", problem), *faults])
        kind = EndpointKind.SERVICE if url else EndpointKind.EMAIL
        target = url or email
        shown, target_faults = await self._checked(kind, target)
        if faults := target_faults + faults:
            raise invalid(faults)
        wanted = tuple(dict.fromkeys(events)) or DEFAULT_EVENTS
        new = NewEndpoint(self._new_id(), account_id, kind, shown, wanted, description, secret=target)
        return await self._endpoints.create(new)

    async def get(self, endpoint_id: UUID) -> Endpoint:
        """The channel. Raises ServiceError CHANNEL_NOT_FOUND."""
        return await self._endpoints.get(endpoint_id)

    async def of_account(self, account_id: str) -> Sequence[Endpoint]:
        """All of an account, oldest first. Raises ServiceError INVALID."""
        if faults := account_faults(account_id):
            raise invalid(faults)
        return await self._endpoints.of_account(account_id)

    async def change(self, endpoint_id: UUID, change: ChannelChange) -> Endpoint:
        """Changes what is given; what waits goes out under the new terms, at once.

        Raises ServiceError INVALID that names every field at fault, CHANNEL_NOT_FOUND, or CHANNELS_BUSY.
        """
        faults: list[Violation] = []
        if change == ChannelChange():
            faults.append(Violation("", "REQUIRED", "nothing is to be changed; give a target, events, or enabled"))
        if change.events is not None:
            faults += _event_faults(change.events)
        if change.description is not None:
            faults += description_faults(change.description)
        if faults:
            raise invalid(faults)
        shown = target = None
        if change.url is not None or change.email is not None:
            kind = (await self._endpoints.get(endpoint_id)).kind
            targets = {EndpointKind.SERVICE: change.url, EndpointKind.EMAIL: change.email}
            target = targets.pop(kind)
            if target is None or any(other is not None for other in targets.values()):
                wrong = FIELDS[EndpointKind.EMAIL if kind is EndpointKind.SERVICE else EndpointKind.SERVICE]
                problem = f"does not go with the channel, which has the target {FIELDS[kind]}; make another channel"
                raise invalid([Violation(wrong, "NOT_ALLOWED", problem)])
            shown, faults = await self._checked(kind, target)
            if faults:
                raise invalid(faults)
        return await self._endpoints.change(
            endpoint_id, EndpointChange(shown, change.events, change.description, change.enabled, target)
        )

    async def delete(self, endpoint_id: UUID) -> None:
        """Deletes a channel and its target; what is on its way is given up. Raises ServiceError CHANNEL_NOT_FOUND."""
        await self._endpoints.delete(endpoint_id)

    async def test(self, endpoint_id: UUID) -> Delivery:
        """Tells of a test, whatever the channel asks for. Raises CHANNEL_NOT_FOUND or CHANNEL_DISABLED."""
        endpoint = await self._endpoints.get(endpoint_id)
        if not endpoint.enabled:
            raise ServiceError(
                Kind.FAILED_PRECONDITION,
                "CHANNEL_DISABLED",
                "the channel is disabled, so nothing is sent to it; enable it first",
            )
        event = CloudEvent(
            id=f"evt_{self._new_id().hex}",
            type=EventType.WEBHOOK_TEST,
            account_id=endpoint.account_id,
            at=self._now(),
            subject=channel_id(endpoint.id),
            data={"channelId": channel_id(endpoint.id), "userId": endpoint.account_id},
        )
        return await self._endpoints.record_event(endpoint_id, event)

    async def deliveries(
        self, endpoint_id: UUID, wanted: DeliveryFilter, limit: int, after: tuple[datetime, UUID] | None
    ) -> Sequence[Delivery]:
        """Deliveries, newest first. Raises ServiceError CHANNEL_NOT_FOUND."""
        return await self._endpoints.deliveries(endpoint_id, wanted, limit, after)

    async def replay(self, endpoint_id: UUID, delivery_id: UUID) -> Delivery:
        """Tells of an event again. Raises CHANNEL_NOT_FOUND or CHANNEL_DELIVERY_NOT_FOUND."""
        return await self._endpoints.replay(endpoint_id, delivery_id)

    async def replay_period(self, endpoint_id: UUID, start: datetime, end: datetime) -> int:
        """Tells again, in one text, of what failed in a period; of how many events.

        Raises ServiceError INVALID, or CHANNEL_NOT_FOUND.
        """
        if start >= end:
            problem = "is not after the start of the period; give the first instant after it"
            raise invalid([Violation("period_end", "OUT_OF_RANGE", problem)])
        return await self._endpoints.replay_period(endpoint_id, ReplayPeriod(start, end, {DeliveryState.FAILED}))

    async def _checked(self, kind: EndpointKind, target: str) -> tuple[str, list[Violation]]:
        checked = await self._targets.check(kind, target)
        if checked.problem is None:
            return checked.shown, []
        return "", [Violation(FIELDS[kind], "INVALID_TARGET", checked.problem)]


def channel_id(endpoint_id: UUID) -> str:
    """The public spelling of a channel's id."""
    return f"channel_{endpoint_id.hex}"


def channel_not_found() -> ServiceError:
    """The error for an id that no channel has."""
    return ServiceError(
        Kind.NOT_FOUND, "CHANNEL_NOT_FOUND", "there is no channel with that id; list the account's channels to find it"
    )


def channel_delivery_not_found() -> ServiceError:
    """The error for an id that no delivery of the channel has."""
    return ServiceError(
        Kind.NOT_FOUND,
        "CHANNEL_DELIVERY_NOT_FOUND",
        "the channel has no delivery with that id, or not any more; list its deliveries to find it",
    )


def too_many_channels(most: int) -> ServiceError:
    """The error for an account that has as many channels as it may, or more, where it once might have more."""
    return ServiceError(
        Kind.FAILED_PRECONDITION,
        "TOO_MANY_CHANNELS",
        f"an account may have {most} channels, and this one has no fewer; delete one that is not needed",
    )


def channels_busy() -> ServiceError:
    """The error when nothing that could look at a target answers in time."""
    return ServiceError(
        Kind.UNAVAILABLE, "CHANNELS_BUSY", "the target could not be looked at just now; nothing was changed, try again"
    )


def _event_faults(events: Sequence[EventType]) -> list[Violation]:
    allowed = ", ".join(event.value for event in CHANNEL_EVENTS)
    return [
        Violation(f"events[{place}]", "NOT_ALLOWED", f"is {event.value}; a channel may ask for {allowed}")
        for place, event in enumerate(events)
        if event not in CHANNEL_EVENTS
    ]
