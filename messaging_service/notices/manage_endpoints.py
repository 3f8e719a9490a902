"""Creates, changes and deletes endpoints, rotates their secrets, tests them, and sends again what they missed."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from messaging_service.notices.domain.cloud_event import CloudEvent
from messaging_service.notices.domain.endpoints import (
    MAX_OVERLAP,
    OVERLAP,
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointKind,
    EventType,
)
from messaging_service.notices.endpoint_families import EndpointFamily
from messaging_service.notices.endpoint_store import (
    DeliveryFilter,
    EndpointChange,
    EndpointStore,
    NewEndpoint,
    ReplayPeriod,
)
from messaging_service.notices.endpoint_targets import EndpointTargets
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from service_kit.access.principal import Accounts
from service_kit.audit.actor import Actor
from service_kit.errors import Violation, invalid
from service_kit.identifiers import identifier_problem

MAX_DESCRIPTION: Final = 200
_SECRET_BYTES: Final = 32
"""Standard Webhooks asks for 24 to 64."""

TargetsByKind = Mapping[EndpointKind, str]
"""The targets that a request names; a good one names one."""


@dataclass(frozen=True, slots=True)
class EndpointUpdate:
    """What to change about an endpoint; None, or no target, leaves it as it is."""

    targets: TargetsByKind = field(default_factory=dict)
    events: tuple[EventType, ...] | None = None
    description: str | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class WithSecret:
    """An endpoint with its new secret."""

    endpoint: Endpoint
    secret: str = field(repr=False)
    """What signs, shown this once. For a channel its target in full, which is never shown."""


class ManageEndpoints:
    """The use cases behind WebhookService and ChannelService, each for its own family."""

    def __init__(
        self,
        family: EndpointFamily,
        endpoints: EndpointStore,
        targets: EndpointTargets,
        *,
        new_id: Callable[[], UUID],
        now: Callable[[], datetime],
    ) -> None:
        """`endpoints`: of the same family. `now`: the present instant, in UTC."""
        self._family = family
        self._endpoints = endpoints
        self._targets = targets
        self._new_id = new_id
        self._now = now

    @property
    def family(self) -> EndpointFamily:
        """The endpoints that are managed."""
        return self._family

    async def create(
        self,
        account_id: str,
        targets: TargetsByKind,
        events: Sequence[EventType],
        description: str,
        *,
        actor: Actor,
    ) -> WithSecret:
        """Creates an endpoint, which gets what happens from now on.

        Without events it gets the defaults of its family. Raises ServiceError INVALID that names every field at fault,
        TOO_MANY_WEBHOOKS or TOO_MANY_CHANNELS, or CHANNELS_BUSY.
        """
        problem = identifier_problem(account_id)
        faults = [] if problem is None else [Violation("user_id", reasons.INVALID_IDENTIFIER, problem)]
        others = self._event_faults(events) + _description_faults(description)
        if len(targets) != 1:
            raise invalid([*faults, self._number_of_targets_fault(targets), *others])
        ((kind, target),) = targets.items()
        shown, target_faults = await self._checked(kind, target)
        if faults := faults + target_faults + others:
            raise invalid(faults)
        secret = _new_secret() if kind.signs else target
        wanted = tuple(dict.fromkeys(events)) or self._family.default_events
        new = NewEndpoint(self._new_id(), account_id, kind, shown, wanted, description, secret)
        return WithSecret(await self._endpoints.create(new, actor=actor), secret)

    async def get(self, endpoint_id: UUID, accounts: Accounts) -> Endpoint:
        """The endpoint. Raises ServiceError with the family's reason `not_found`, as all that take an id do.

        `accounts`: those of the caller, None for all; an endpoint of another one is not found, here as in the others.
        """
        return await self._endpoints.get(endpoint_id, accounts)

    async def of_account(self, account_id: str) -> Sequence[Endpoint]:
        """All endpoints of an account, oldest first. Raises ServiceError INVALID."""
        if problem := text_problem(account_id, MAX_IDENTIFIER):
            raise invalid([Violation("user_id", reasons.INVALID_IDENTIFIER, problem)])
        return await self._endpoints.of_account(account_id)

    async def change(self, endpoint_id: UUID, accounts: Accounts, update: EndpointUpdate, *, actor: Actor) -> Endpoint:
        """Changes what is given; what waits goes out under the new terms, at once.

        Raises ServiceError INVALID that names every field at fault, or CHANNELS_BUSY.
        """
        faults: list[Violation] = []
        if update == EndpointUpdate():
            fields = ", ".join(self._family.fields.values())
            problem = f"nothing is to be changed; give {fields}, events, description or enabled"
            faults.append(Violation("", reasons.REQUIRED, problem))
        shown = secret = None
        if update.targets:
            kind = await self._kind_of(endpoint_id, accounts)
            shown, target_faults = await self._checked_change(kind, update.targets)
            faults += target_faults
            secret = None if kind.signs else update.targets.get(kind)
        if update.events is not None:
            faults += self._event_faults(update.events)
        if update.description is not None:
            faults += _description_faults(update.description)
        if faults:
            raise invalid(faults)
        change = EndpointChange(shown, update.events, update.description, update.enabled, secret)
        return await self._endpoints.change(endpoint_id, accounts, change, actor=actor)

    async def rotate(
        self, endpoint_id: UUID, accounts: Accounts, overlap: timedelta | None, *, actor: Actor
    ) -> WithSecret:
        """Replaces the secret of an endpoint that signs; the present one signs beside it for `overlap`.

        `overlap`: None means a day. Raises ServiceError INVALID.
        """
        overlap = OVERLAP if overlap is None else overlap
        if not timedelta(0) <= overlap <= MAX_OVERLAP:
            problem = f"is not 0 seconds to {MAX_OVERLAP.days} days; both secrets sign for that time"
            raise invalid([Violation("overlap", reasons.OUT_OF_RANGE, problem)])
        secret = _new_secret()
        return WithSecret(await self._endpoints.rotate(endpoint_id, accounts, secret, overlap, actor=actor), secret)

    async def delete(self, endpoint_id: UUID, accounts: Accounts, *, actor: Actor) -> None:
        """Deletes an endpoint and its secrets; what is on its way is given up."""
        await self._endpoints.delete(endpoint_id, accounts, actor=actor)

    async def test(self, endpoint_id: UUID, accounts: Accounts) -> Delivery:
        """Sends a test event, whatever the endpoint asks for. Raises the family's reason `disabled`."""
        endpoint = await self._endpoints.get(endpoint_id, accounts)
        if not endpoint.enabled:
            raise self._family.disabled()
        public_id = self._family.public_id(endpoint.id)
        event = CloudEvent(
            id=f"evt_{self._new_id().hex}",
            type=EventType.WEBHOOK_TEST,
            account_id=endpoint.account_id,
            at=self._now(),
            subject=public_id,
            data={f"{self._family.noun}Id": public_id, "userId": endpoint.account_id},
        )
        return await self._endpoints.record_event(endpoint_id, accounts, event)

    async def deliveries(
        self,
        endpoint_id: UUID,
        accounts: Accounts,
        wanted: DeliveryFilter,
        limit: int,
        after: tuple[datetime, UUID] | None,
    ) -> Sequence[Delivery]:
        """Up to `limit` deliveries, newest first. `after`: where the page before ended; None for the first page."""
        return await self._endpoints.deliveries(endpoint_id, accounts, wanted, limit, after)

    async def replay(self, endpoint_id: UUID, accounts: Accounts, delivery_id: UUID) -> Delivery:
        """Sends a delivery again, under its id. Raises the family's reason `delivery_not_found`."""
        return await self._endpoints.replay(endpoint_id, accounts, delivery_id)

    async def replay_period(
        self, endpoint_id: UUID, accounts: Accounts, start: datetime, end: datetime, *, delivered: bool = False
    ) -> int:
        """Sends again what failed from `start` to before `end`, and what was delivered too if `delivered` says so.

        Returns the number of deliveries. Raises ServiceError INVALID.
        """
        if start >= end:
            problem = "is not after the start of the period; give the first instant after it"
            raise invalid([Violation("period_end", reasons.OUT_OF_RANGE, problem)])
        states = {DeliveryState.FAILED, DeliveryState.DELIVERED} if delivered else {DeliveryState.FAILED}
        return await self._endpoints.replay_period(endpoint_id, accounts, ReplayPeriod(start, end, states))

    async def _kind_of(self, endpoint_id: UUID, accounts: Accounts) -> EndpointKind:
        first, *others = self._family.kinds
        return (await self._endpoints.get(endpoint_id, accounts)).kind if others else first

    async def _checked(self, kind: EndpointKind, target: str) -> tuple[str, list[Violation]]:
        """The target as it may be shown, and what is wrong with it."""
        checked = await self._targets.check(kind, target)
        if checked.problem is None:
            return checked.shown, []
        return "", [Violation(self._family.fields[kind], self._family.reasons.bad_target, checked.problem)]

    async def _checked_change(self, kind: EndpointKind, targets: TargetsByKind) -> tuple[str, list[Violation]]:
        fields = self._family.fields
        if others := [fields[other] for other in targets if other is not kind]:
            noun = self._family.noun
            problem = f"does not go with the {noun}, which has the target {fields[kind]}; make another {noun}"
            return "", [Violation(others[0], reasons.NOT_ALLOWED, problem)]
        return await self._checked(kind, targets[kind])

    def _number_of_targets_fault(self, targets: TargetsByKind) -> Violation:
        first, *others = self._family.fields.values()
        named = " and ".join(others)
        problem = f"and {named} are both given; make a {self._family.noun} of each"
        return Violation(first, reasons.REQUIRED, problem if targets else f"is empty, as is {named}; give one")

    def _event_faults(self, events: Sequence[EventType]) -> list[Violation]:
        if not events and not self._family.default_events:
            return [Violation("events", reasons.REQUIRED, "is empty; name the events that are wanted")]
        allowed = f"a {self._family.noun} may ask for " + ", ".join(event.value for event in self._family.events)
        return [
            Violation(f"events[{place}]", reasons.NOT_ALLOWED, f"is {event.value}; {allowed}")
            for place, event in enumerate(events)
            if event not in self._family.events
        ]


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _description_faults(description: str) -> list[Violation]:
    problem = text_problem(description, MAX_DESCRIPTION) if description else None
    return [] if problem is None else [Violation("description", reasons.MALFORMED, problem)]
