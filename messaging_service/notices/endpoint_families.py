"""The two families of endpoints: webhooks, which systems read, and channels, which people read.

They are one mechanism. A family is what differs: the kinds in it, the fields that hold their targets, the events that
they may ask for, and the reasons of their errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from messaging_service.notices.domain.channels import CHANNEL_EVENTS, DEFAULT_EVENTS
from messaging_service.notices.domain.endpoints import SUBSCRIBABLE, EndpointKind, EventType
from messaging_service.shared.domain import reasons
from service_kit.errors import Kind, ServiceError


@dataclass(frozen=True, slots=True)
class FamilyReasons:
    """The reasons of a family's errors."""

    not_found: str
    delivery_not_found: str
    too_many: str
    disabled: str
    bad_target: str
    """Of a violation of the field that holds the target."""
    deleted: str
    """The error of deliveries whose endpoint was deleted."""


@dataclass(frozen=True, slots=True)
class EndpointFamily:
    """The endpoints that one service manages. It neither sees nor changes those of the other family."""

    noun: str
    """What an endpoint of the family is called, in ids, fields and sentences."""
    fields: Mapping[EndpointKind, str]
    """The kinds of the family, each with the field that holds its target."""
    events: tuple[EventType, ...]
    """What an endpoint may ask for."""
    default_events: tuple[EventType, ...]
    """What an endpoint gets that asks for nothing; empty when it has to ask."""
    reasons: FamilyReasons

    @property
    def kinds(self) -> tuple[EndpointKind, ...]:
        """The kinds of endpoints in the family."""
        return tuple(self.fields)

    def public_id(self, endpoint_id: UUID) -> str:
        """The id of an endpoint as callers write it."""
        return f"{self.noun}_{endpoint_id.hex}"

    def not_found(self) -> ServiceError:
        """The error for an id that no endpoint has."""
        problem = f"there is no {self.noun} with that id; list the account's {self.noun}s to find it"
        return ServiceError(Kind.NOT_FOUND, self.reasons.not_found, problem)

    def delivery_not_found(self) -> ServiceError:
        """The error for an id that no delivery of the endpoint has."""
        problem = f"the {self.noun} has no delivery with that id, or not any more; list its deliveries to find it"
        return ServiceError(Kind.NOT_FOUND, self.reasons.delivery_not_found, problem)

    def too_many(self, most: int) -> ServiceError:
        """The error for an account that already has the most endpoints allowed, or more under an earlier limit."""
        problem = f"an account may have {most} {self.noun}s, and this one has no fewer; delete one that is not needed"
        return ServiceError(Kind.FAILED_PRECONDITION, self.reasons.too_many, problem)

    def disabled(self) -> ServiceError:
        """The error for a test of an endpoint that is disabled."""
        problem = f"the {self.noun} is disabled, so nothing is sent to it; enable it first"
        return ServiceError(Kind.FAILED_PRECONDITION, self.reasons.disabled, problem)


WEBHOOKS: Final = EndpointFamily(
    noun="webhook",
    fields={EndpointKind.WEBHOOK: "url"},
    events=SUBSCRIBABLE,
    default_events=(),
    reasons=FamilyReasons(
        not_found=reasons.WEBHOOK_NOT_FOUND,
        delivery_not_found=reasons.WEBHOOK_DELIVERY_NOT_FOUND,
        too_many=reasons.TOO_MANY_WEBHOOKS,
        disabled=reasons.WEBHOOK_DISABLED,
        bad_target=reasons.INVALID_URL,
        deleted="WEBHOOK_DELETED",
    ),
)
CHANNELS: Final = EndpointFamily(
    noun="channel",
    fields={EndpointKind.SERVICE: "url", EndpointKind.EMAIL: "email"},
    events=CHANNEL_EVENTS,
    default_events=DEFAULT_EVENTS,
    reasons=FamilyReasons(
        not_found=reasons.CHANNEL_NOT_FOUND,
        delivery_not_found=reasons.CHANNEL_DELIVERY_NOT_FOUND,
        too_many=reasons.TOO_MANY_CHANNELS,
        disabled=reasons.CHANNEL_DISABLED,
        bad_target=reasons.INVALID_TARGET,
        deleted="CHANNEL_DELETED",
    ),
)


def channels_busy() -> ServiceError:
    """The error when no process can check the target of a channel in time."""
    return ServiceError(
        Kind.UNAVAILABLE,
        reasons.CHANNELS_BUSY,
        "the target could not be looked at just now; nothing was changed, try again",
    )
