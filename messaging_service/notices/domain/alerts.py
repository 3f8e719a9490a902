"""The rules of alerts: when an alert is raised and resolved, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Final
from uuid import UUID

from messaging_service.accounts.domain.account_limits import DAY_STARTS_AT
from messaging_service.notices.domain.alert_conditions import (
    AlertKind,
    BalanceLow,
    CarrierBalanceLow,
    CarrierDown,
    Condition,
    OutcomesUnknown,
    SmsFailing,
    SmsPumping,
    as_number,
    crossed,
    kind_of,
)
from messaging_service.notices.domain.alert_readings import Reading
from messaging_service.notices.domain.cloud_event import CloudEvent
from messaging_service.notices.domain.endpoints import EventType

_OF_CARRIERS: Final = (CarrierDown, CarrierBalanceLow)
"""Conditions whose readings are what replicas report about carriers."""
CARRIER_IS_GONE_AFTER: Final = timedelta(minutes=10)
"""How long no replica must have reported a carrier, or its balance; less may be replicas that restart."""
MINUTES_OF_DAY: Final = 1_440


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When nobody wants to be called, as minutes of the day in Nairobi. May go over midnight."""

    start: int
    """The first minute that is quiet, 0 to 1,439."""
    end: int
    """The first minute that is not, 0 to 1,439."""

    @property
    def is_valid(self) -> bool:
        """Whether both are minutes of the day, and not the same one."""
        return 0 <= self.start < MINUTES_OF_DAY and 0 <= self.end < MINUTES_OF_DAY and self.start != self.end

    def ends_after(self, now: datetime) -> datetime | None:
        """When the present quiet hours end, in UTC; None when `now` is outside them."""
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
    """What an account wants to be warned of. An account has one rule of each kind."""

    condition: Condition
    enabled: bool
    """Whether it watches. Disabling a rule resolves its open alerts."""
    quiet: QuietHours | None = None
    """When alerts are recorded, but sent only later; None for never."""

    @property
    def kind(self) -> AlertKind:
        """What it watches."""
        return kind_of(self.condition)


DEFAULTS: Final[Mapping[AlertKind, AlertRule]] = {
    rule.kind: rule
    for rule in (
        AlertRule(BalanceLow(), enabled=True),
        AlertRule(SmsFailing(), enabled=True),
        AlertRule(OutcomesUnknown(), enabled=False),
        AlertRule(CarrierDown(), enabled=False),
        AlertRule(CarrierBalanceLow(), enabled=False),
        AlertRule(SmsPumping(), enabled=True),
    )
}
"""The rules of an account that has set none of the kind. Warnings about the whole system have to be asked for."""


class Verdict(Enum):
    """What a reading means for an alert."""

    RAISE = "raise"
    RESOLVE = "resolve"
    KEEP = "keep"


def verdict(rule: AlertRule, reading: Reading, *, is_open: bool) -> Verdict:
    """Whether a reading raises an alert, or ends the one that is open.

    Between the threshold and the margin behind it nothing changes, so a value that wavers raises one alert.
    """
    is_bad, is_good = crossed(rule.condition, reading.value)
    if not rule.enabled:
        return Verdict.RESOLVE if is_open else Verdict.KEEP
    if is_open:
        return Verdict.RESOLVE if is_good else Verdict.KEEP
    return Verdict.RAISE if is_bad else Verdict.KEEP


def verdict_without_reading(rule: AlertRule | None, unread_for: timedelta) -> Verdict:
    """Whether an open alert ends because its rule has nothing to read, such as the balance of a postpaid account.

    It ends, so that the next crossing raises another one; what carriers report may be missing for a while.
    `rule`: None when nobody watches the account any more. `unread_for`: how long there has been nothing to read.
    """
    if rule is None or not rule.enabled or not isinstance(rule.condition, _OF_CARRIERS):
        return Verdict.RESOLVE
    return Verdict.RESOLVE if unread_for >= CARRIER_IS_GONE_AFTER else Verdict.KEEP


@dataclass(frozen=True, slots=True)
class Alert:
    """A warning on record."""

    id: UUID
    account_id: str
    kind: AlertKind
    subject: str
    """The account, the carrier, or `system`."""
    value: Decimal
    """When it was raised, in the unit of the rule's condition."""
    threshold: Decimal
    """The one that was crossed, in the same unit."""
    raised_at: datetime
    resolved_at: datetime | None
    """When the value was back on the good side; None until then, and until then no second alert is raised."""
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
    """The event that webhooks and channels get when an alert is raised."""
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
            "threshold": _number(as_number(rule.condition.threshold)),
            **reading.data,
        },
    )


def _number(value: Decimal) -> str:
    # A text, because JSON numbers lose digits in many parsers.
    return f"{value.normalize():f}"


def with_rules(own: Mapping[AlertKind, AlertRule]) -> dict[AlertKind, AlertRule]:
    """An account's rules of every kind: its own, and the defaults where it has none."""
    return {kind: own.get(kind, default) for kind, default in DEFAULTS.items()}
