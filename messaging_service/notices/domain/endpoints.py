"""Endpoints that get the events of an account, and the deliveries to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from messaging_service.shared.domain.states import STATUS_OF, State, Status


class EndpointKind(StrEnum):
    """How events get to an endpoint. Set when it is created, and never changed."""

    WEBHOOK = "webhook"
    """Posted to a URL of the customer's system, as signed CloudEvents."""
    SERVICE = "service"
    """Sent to people in a messenger, as texts."""
    EMAIL = "email"
    """Sent to people by email, as texts."""

    @property
    def signs(self) -> bool:
        """Whether what is sent is signed with the endpoint's secret; otherwise the secret is the target in full."""
        return self is EndpointKind.WEBHOOK


class EventType(StrEnum):
    """What an endpoint may ask for."""

    SMS_SENT = "sms.sent"
    """The carrier took every part."""
    SMS_DELIVERED = "sms.delivered"
    """A receipt says that it reached the phone."""
    SMS_FAILED = "sms.failed"
    """It was refused, reported undeliverable, expired or cancelled."""
    BALANCE_LOW = "balance.low"
    """The account's balance fell below the threshold of its alert rule."""
    CARRIER_DOWN = "carrier.down"
    """A carrier takes no messages."""
    SMS_FAILING = "sms.failing"
    """Too many of the account's latest messages failed."""
    CARRIER_BALANCE_LOW = "carrier.balance_low"
    """Our account at a carrier holds less than the threshold of an alert rule."""
    OUTCOMES_UNKNOWN = "outcomes.unknown"
    """Messages whose outcome is unknown pile up."""
    SMS_PUMPING = "sms.pumping"
    """Blocks of numbers that the account sends to look pumped."""
    WEBHOOK_TEST = "webhook.test"
    """Somebody asked for a test; goes to every endpoint, whatever it asks for."""


SUBSCRIBABLE: Final = tuple(kind for kind in EventType if kind is not EventType.WEBHOOK_TEST)


class DeliveryState(StrEnum):
    """How a delivery stands."""

    PENDING = "pending"
    """Waits for its turn, or for its next try."""
    DELIVERED = "delivered"
    """The endpoint answered with 2xx."""
    FAILED = "failed"
    """Given up: its time is over, or the endpoint is gone."""


OVERLAP: Final = timedelta(days=1)
"""How long the secret before a rotation still signs, so that a receiver can change over in its own time."""
MAX_OVERLAP: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events of an account go, without its secrets."""

    id: UUID
    account_id: str
    kind: EndpointKind
    url: str
    """Where events go. Of a service only what may be shown: the secrets in its URL are left out."""
    events: tuple[EventType, ...]
    """What it asks for, never empty."""
    description: str
    enabled: bool
    created_at: datetime
    previous_secret_until: datetime | None
    """Until when the secret before the last rotation signs too; None or past when only one does."""
    disabled_reason: str | None
    """Why the service disabled it by itself; None when it did not."""
    failing_since: datetime | None
    """Since when every try has failed; None when the last one did not."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint."""

    id: UUID
    endpoint_id: UUID
    event_id: str
    """Also the `webhook-id`: the same for every try and replay."""
    event_type: EventType
    state: DeliveryState
    tries: int
    """Since it was recorded or last replayed."""
    created_at: datetime
    next_try_at: datetime | None
    """Only while pending."""
    last_try_at: datetime | None
    last_status: int | None
    """The HTTP status of the last answer; None when there was none."""
    last_error: str | None
    """A stable word for what went wrong in the last try; None when nothing did."""
    replays: int


@dataclass(frozen=True, slots=True)
class Answer:
    """How a try ended."""

    status: int | None
    """The HTTP status; None when no answer came."""
    error: str | None
    """None when the endpoint took it; else UPPER_SNAKE."""
    retry_after: timedelta | None = None
    """How long the endpoint asked us to wait; None when it did not, or when it took the event."""

    @property
    def taken(self) -> bool:
        """Whether the endpoint took the event."""
        return self.error is None

    @property
    def gone(self) -> bool:
        """Whether the endpoint wants no more events, which is what 410 means in Standard Webhooks."""
        return self.status == 410


TRY_ERRORS: Final = (
    "NAME_NOT_RESOLVED",
    "TARGET_REFUSED",
    "NOT_CONNECTED",
    "TLS_FAILED",
    "TIMED_OUT",
    "BROKEN_OFF",
    "REDIRECTED",
    "ANSWERED_WITH_ERROR",
    "GONE",
)
"""The errors of a try."""


def answer_of(status: int, retry_after: timedelta | None = None) -> Answer:
    """What an HTTP status means for a delivery. A redirect is an error: following it would bypass every check."""
    if 200 <= status < 300:
        return Answer(status, None)
    if 300 <= status < 400:
        return Answer(status, "REDIRECTED", retry_after)
    return Answer(status, "GONE" if status == 410 else "ANSWERED_WITH_ERROR", retry_after)


_STATUS_EVENTS: Final = {Status.SENT: EventType.SMS_SENT, Status.FAILED: EventType.SMS_FAILED}


def event_of_state(state: State) -> EventType | None:
    """The event of a message that comes into a state; None for a state without one."""
    if state is State.DELIVERED:
        return EventType.SMS_DELIVERED
    return _STATUS_EVENTS.get(STATUS_OF[state])


STATES_WITH_EVENTS: Final = tuple(state for state in State if event_of_state(state) is not None)
"""The states with an event."""
MESSAGE_EVENTS: Final = (EventType.SMS_SENT, EventType.SMS_DELIVERED, EventType.SMS_FAILED)
"""The events of messages; the others are of accounts, carriers and the system."""
