"""Makes, changes and deletes endpoints, rotates their secrets, tests them, and sends again what they missed."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from messaging_service.notices.delivery_ports import (
    DeliveryFilter,
    EndpointChange,
    EndpointStore,
    NewEndpoint,
    ReplayPeriod,
    Targets,
)
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
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from service_kit.errors import Kind, ServiceError, Violation, invalid
from service_kit.identifiers import identifier_problem

MAX_DESCRIPTION: Final = 200
_SECRET_BYTES: Final = 32
"""Standard Webhooks asks for 24 to 64."""


@dataclass(frozen=True, slots=True)
class WithSecret:
    """An endpoint with its new secret, which is shown this once."""

    endpoint: Endpoint
    secret: str


class ManageWebhooks:
    """The use cases behind WebhookService."""

    def __init__(
        self, endpoints: EndpointStore, targets: Targets, *, new_id: Callable[[], UUID], now: Callable[[], datetime]
    ) -> None:
        self._endpoints = endpoints
        self._targets = targets
        self._new_id = new_id
        self._now = now

    async def create(self, account_id: str, url: str, events: Sequence[EventType], description: str) -> WithSecret:
        """Makes an endpoint. Raises ServiceError INVALID that names every field at fault, or TOO_MANY_WEBHOOKS."""
        faults = new_account_faults(account_id) + await self._url_faults(url) + _event_faults(events)
        faults += description_faults(description)
        if faults:
            raise invalid(faults)
        secret = _new_secret()
        wanted = tuple(dict.fromkeys(events))
        new = NewEndpoint(self._new_id(), account_id, EndpointKind.WEBHOOK, url, wanted, description, secret)
        return WithSecret(await self._endpoints.create(new), secret)

    async def get(self, endpoint_id: UUID) -> Endpoint:
        """The endpoint. Raises ServiceError WEBHOOK_NOT_FOUND."""
        return await self._endpoints.get(endpoint_id)

    async def of_account(self, account_id: str) -> Sequence[Endpoint]:
        """All of an account, oldest first. Raises ServiceError INVALID."""
        if faults := account_faults(account_id):
            raise invalid(faults)
        return await self._endpoints.of_account(account_id)

    async def change(self, endpoint_id: UUID, change: EndpointChange) -> Endpoint:
        """Changes what is given. Raises ServiceError INVALID that names every field at fault, or WEBHOOK_NOT_FOUND."""
        faults: list[Violation] = []
        if change == EndpointChange():
            faults.append(Violation("", "REQUIRED", "nothing is to be changed; give a url, events, or enabled"))
        if change.url is not None:
            faults += await self._url_faults(change.url)
        if change.events is not None:
            faults += _event_faults(change.events)
        if change.description is not None:
            faults += description_faults(change.description)
        if faults:
            raise invalid(faults)
        return await self._endpoints.change(endpoint_id, change)

    async def rotate(self, endpoint_id: UUID, overlap: timedelta | None) -> WithSecret:
        """A new secret; the present one signs beside it for a day, or for as long as is said.

        Raises ServiceError INVALID, or WEBHOOK_NOT_FOUND.
        """
        overlap = OVERLAP if overlap is None else overlap
        if not timedelta(0) <= overlap <= MAX_OVERLAP:
            problem = f"is not 0 seconds to {MAX_OVERLAP.days} days; the old secret signs so long beside the new one"
            raise invalid([Violation("overlap", "OUT_OF_RANGE", problem)])
        secret = _new_secret()
        return WithSecret(await self._endpoints.rotate(endpoint_id, secret, overlap), secret)

    async def delete(self, endpoint_id: UUID) -> None:
        """Deletes an endpoint; what is on its way is given up. Raises ServiceError WEBHOOK_NOT_FOUND."""
        await self._endpoints.delete(endpoint_id)

    async def test(self, endpoint_id: UUID) -> Delivery:
        """Sends a test event, whatever the endpoint asks for. Raises WEBHOOK_NOT_FOUND or WEBHOOK_DISABLED."""
        endpoint = await self._endpoints.get(endpoint_id)
        if not endpoint.enabled:
            raise ServiceError(
                Kind.FAILED_PRECONDITION,
                "WEBHOOK_DISABLED",
                "the webhook is disabled, so nothing is sent to it; enable it first",
            )
        event = CloudEvent(
            id=f"evt_{self._new_id().hex}",
            type=EventType.WEBHOOK_TEST,
            account_id=endpoint.account_id,
            at=self._now(),
            subject=webhook_id(endpoint.id),
            data={"webhookId": webhook_id(endpoint.id), "userId": endpoint.account_id},
        )
        return await self._endpoints.record_event(endpoint_id, event)

    async def deliveries(
        self, endpoint_id: UUID, wanted: DeliveryFilter, limit: int, after: tuple[datetime, UUID] | None
    ) -> Sequence[Delivery]:
        """Deliveries, newest first. Raises ServiceError WEBHOOK_NOT_FOUND."""
        return await self._endpoints.deliveries(endpoint_id, wanted, limit, after)

    async def replay(self, endpoint_id: UUID, delivery_id: UUID) -> Delivery:
        """Sends a delivery again, under its id. Raises WEBHOOK_NOT_FOUND or WEBHOOK_DELIVERY_NOT_FOUND."""
        return await self._endpoints.replay(endpoint_id, delivery_id)

    async def replay_period(self, endpoint_id: UUID, start: datetime, end: datetime, *, delivered: bool) -> int:
        """Sends again what failed in a period, and with `delivered` what was taken too; how many.

        Raises ServiceError INVALID, or WEBHOOK_NOT_FOUND.
        """
        if start >= end:
            problem = "is not after the start of the period; give the first instant after it"
            raise invalid([Violation("period_end", "OUT_OF_RANGE", problem)])
        states = {DeliveryState.FAILED, DeliveryState.DELIVERED} if delivered else {DeliveryState.FAILED}
        return await self._endpoints.replay_period(endpoint_id, ReplayPeriod(start, end, states))

    async def _url_faults(self, url: str) -> list[Violation]:
        problem = await self._targets.problem(url)
        return [] if problem is None else [Violation("url", "INVALID_URL", problem)]


def webhook_id(endpoint_id: UUID) -> str:
    """The public spelling of an endpoint's id."""
    return f"webhook_{endpoint_id.hex}"


def webhook_not_found() -> ServiceError:
    """The error for an id that no endpoint has."""
    return ServiceError(
        Kind.NOT_FOUND, "WEBHOOK_NOT_FOUND", "there is no webhook with that id; list the account's webhooks to find it"
    )


def delivery_not_found() -> ServiceError:
    """The error for an id that no delivery of the endpoint has."""
    return ServiceError(
        Kind.NOT_FOUND,
        "WEBHOOK_DELIVERY_NOT_FOUND",
        "the webhook has no delivery with that id, or not any more; list its deliveries to find it",
    )


def too_many_webhooks(most: int) -> ServiceError:
    """The error for an account that has as many endpoints as it may, or more, where it once might have more."""
    return ServiceError(
        Kind.FAILED_PRECONDITION,
        "TOO_MANY_WEBHOOKS",
        f"an account may have {most} webhooks, and this one has no fewer; delete one that is not needed",
    )


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def new_account_faults(account_id: str) -> list[Violation]:
    """What keeps an account from being given an endpoint."""
    problem = identifier_problem(account_id)
    return [] if problem is None else [Violation("user_id", "INVALID_IDENTIFIER", problem)]


def account_faults(account_id: str) -> list[Violation]:
    """What keeps an account from being looked up."""
    problem = text_problem(account_id, MAX_IDENTIFIER)
    return [] if problem is None else [Violation("user_id", "INVALID_IDENTIFIER", problem)]


def _event_faults(events: Sequence[EventType]) -> list[Violation]:
    if not events:
        return [Violation("events", "REQUIRED", "is empty; name the events that are wanted")]
    if EventType.WEBHOOK_TEST in events:
        return [Violation("events", "NOT_ALLOWED", "names webhook.test, which every webhook gets; leave it out")]
    return []


def description_faults(description: str) -> list[Violation]:
    """What is wrong with what an endpoint is for, in its owner's words."""
    problem = text_problem(description, MAX_DESCRIPTION) if description else None
    return [] if problem is None else [Violation("description", "MALFORMED", problem)]
