"""What accounts want to be warned of, and when a warning is raised and taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, Final
from uuid import UUID

from messaging_service.accounts.domain.account import DAY_STARTS_AT
from messaging_service.notices.domain.cloud_event import CloudEvent
from messaging_service.notices.domain.endpoints import EventType


class AlertKind(StrEnum):
    """What a rule watches; each is also the event that webhooks and channels are told."""

    BALANCE_LOW = EventType.BALANCE_LOW.value
    """What a prepaid account can spend fell below a threshold, in KES or in SMS units at its present price."""
    SMS_FAILING = EventType.SMS_FAILING.value
    """Of the account's latest messages, too many failed; in percent."""
    OUTCOMES_UNKNOWN = EventType.OUTCOMES_UNKNOWN.value
    """Messages of the whole system whose outcome is unknown pile up."""
    CARRIER_DOWN = EventType.CARRIER_DOWN.value
    """No process could use a carrier for so many seconds, though it is wanted."""
    CARRIER_BALANCE_LOW = EventType.CARRIER_BALANCE_LOW.value
    """What our account at a carrier holds fell below a threshold, in KES."""


BELOW: Final = frozenset({AlertKind.BALANCE_LOW, AlertKind.CARRIER_BALANCE_LOW})
"""Kinds that warn of too little; the others warn of too much."""
OF_CARRIERS: Final = frozenset({AlertKind.CARRIER_DOWN, AlertKind.CARRIER_BALANCE_LOW})
"""Kinds whose readings are what replicas report of carriers."""
CARRIER_IS_GONE_AFTER: Final = timedelta(minutes=10)
"""For so long no replica reported a carrier, or its balance. Less may be replicas that start anew."""
MINUTES_OF_DAY: Final = 1_440


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When nobody wants to be called, in minutes of the day in Nairobi; over midnight when it starts after its end."""

    start: int
    end: int

    def ends_after(self, now: datetime) -> datetime | None:
        """When the quiet hours that it is now are over; None when it is none of them."""
        local = now - DAY_STARTS_AT
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        minute = (local - midnight) // timedelta(minutes=1)
        length = (self.end - self.start) % MINUTES_OF_DAY
        passed = (minute - self.start) % MINUTES_OF_DAY
        if passed >= length:
            return None
        return midnight + timedelta(minutes=minute - passed + length) + DAY_STARTS_AT


@dataclass(frozen=True, slots=True)
class AlertRule:
    """What an account wants to be warned of."""

    kind: AlertKind
    enabled: bool
    threshold: Decimal
    """KES, SMS units, percent, messages or seconds, as the kind says."""
    margin: Decimal
    """How far the value must be back on the good side before the next crossing raises another alert."""
    in_units: bool = False
    """For BALANCE_LOW: whether threshold and margin are SMS units at the present price."""
    window: timedelta = timedelta(minutes=15)
    """For SMS_FAILING: how far back messages count, of which the latest 1,000 are looked at."""
    least_messages: int = 20
    """For SMS_FAILING: with fewer messages that have ended, nothing is said."""
    quiet: QuietHours | None = None
    """When alerts are recorded, but posted only later; None for never."""


DEFAULTS: Final[Mapping[AlertKind, AlertRule]] = {
    rule.kind: rule
    for rule in (
        AlertRule(AlertKind.BALANCE_LOW, enabled=True, threshold=Decimal(100), margin=Decimal(10)),
        AlertRule(AlertKind.SMS_FAILING, enabled=True, threshold=Decimal(20), margin=Decimal(5)),
        AlertRule(AlertKind.OUTCOMES_UNKNOWN, enabled=False, threshold=Decimal(100), margin=Decimal(50)),
        AlertRule(AlertKind.CARRIER_DOWN, enabled=False, threshold=Decimal(60), margin=Decimal(0)),
        AlertRule(AlertKind.CARRIER_BALANCE_LOW, enabled=False, threshold=Decimal(1_000), margin=Decimal(100)),
    )
}
"""For accounts that have set none of the kind. What concerns the whole system is for those who ask for it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a rule sees now."""

    subject: str
    """The account, the carrier, or `system`."""
    value: Decimal
    data: Mapping[str, Any]
    """What is told beside the value."""


class Verdict(Enum):
    """What a reading means for an alert."""

    RAISE = "raise"
    RESOLVE = "resolve"
    KEEP = "keep"


def verdict(rule: AlertRule, reading: Reading, *, is_open: bool) -> Verdict:
    """Whether a reading raises an alert, or ends the one that is open.

    Between the threshold and the margin behind it nothing changes, so a value that trembles raises one alert.
    """
    is_bad, is_good = _crossed(rule, reading.value)
    if not rule.enabled:
        return Verdict.RESOLVE if is_open else Verdict.KEEP
    if is_open:
        return Verdict.RESOLVE if is_good else Verdict.KEEP
    return Verdict.RAISE if is_bad else Verdict.KEEP


def verdict_without_reading(rule: AlertRule | None, unread_for: timedelta) -> Verdict:
    """What it means for an open alert that there is nothing to read, as of a postpaid account, which has no bound.

    The alert ends, so that the next crossing raises another one. `rule`: None when nobody watches the account any more.
    `unread_for`: how long there has been nothing to read.
    """
    if rule is None or not rule.enabled or rule.kind not in OF_CARRIERS:
        return Verdict.RESOLVE
    return Verdict.RESOLVE if unread_for >= CARRIER_IS_GONE_AFTER else Verdict.KEEP


def _crossed(rule: AlertRule, value: Decimal) -> tuple[bool, bool]:
    if rule.kind in BELOW:
        return value < rule.threshold, value >= rule.threshold + rule.margin
    # Nothing is less than none: a margin that leaves no room is back at none.
    return value >= rule.threshold, value < rule.threshold and value <= max(rule.threshold - rule.margin, Decimal(0))


@dataclass(frozen=True, slots=True)
class Alert:
    """A warning on record."""

    id: UUID
    account_id: str
    kind: AlertKind
    subject: str
    value: Decimal
    """When it was raised."""
    threshold: Decimal
    raised_at: datetime
    resolved_at: datetime | None
    """When the value was well again; None while it is not. Until then no other is raised for the same."""
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    pending: int = 0
    """Webhooks and channels that it is on its way to."""
    delivered: int = 0
    """Webhooks and channels that took it."""
    failed: int = 0
    """Webhooks and channels at which it was given up."""


def alert_id(value: UUID) -> str:
    """The public spelling of an alert's id."""
    return f"alert_{value.hex}"


def event_id(value: UUID) -> str:
    """The id of the event that an alert is."""
    return f"evt_{value.hex}"


def event_of(raised: UUID, account_id: str, rule: AlertRule, reading: Reading, at: datetime) -> CloudEvent:
    """The event that webhooks and channels are told when an alert is raised."""
    return CloudEvent(
        id=event_id(raised),
        type=EventType(rule.kind.value),
        account_id=account_id,
        at=at,
        subject=reading.subject,
        data={
            "alertId": alert_id(raised),
            "userId": account_id,
            "value": _number(reading.value),
            "threshold": _number(rule.threshold),
            **reading.data,
        },
    )


def _number(value: Decimal) -> str:
    # A text, as JSON numbers lose digits on their way.
    return f"{value.normalize():f}"


def with_rules(own: Mapping[AlertKind, AlertRule]) -> dict[AlertKind, AlertRule]:
    """An account's rules of every kind: its own, and the defaults where it has none."""
    return {kind: own.get(kind, default) for kind, default in DEFAULTS.items()}
