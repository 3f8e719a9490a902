"""The conditions that accounts may be warned of: thresholds, their units and ranges, and when they are crossed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from messaging_service.notices.domain.endpoints import EventType

Amount = Decimal | int | timedelta


class AlertKind(StrEnum):
    """What a rule watches. Each kind is also the event that webhooks and channels get."""

    BALANCE_LOW = EventType.BALANCE_LOW.value
    """What a prepaid account can spend: BalanceLow or UnitsLow."""
    SMS_FAILING = EventType.SMS_FAILING.value
    OUTCOMES_UNKNOWN = EventType.OUTCOMES_UNKNOWN.value
    CARRIER_DOWN = EventType.CARRIER_DOWN.value
    CARRIER_BALANCE_LOW = EventType.CARRIER_BALANCE_LOW.value
    SMS_PUMPING = EventType.SMS_PUMPING.value


@dataclass(frozen=True, slots=True)
class BalanceLow:
    """A prepaid account can spend less than the threshold. Both fields are KES, 0 to 1,000,000."""

    threshold: Decimal = Decimal(100)
    margin: Decimal = Decimal(10)
    """As in every condition: how far the value must be back before the next crossing raises another alert."""


@dataclass(frozen=True, slots=True)
class UnitsLow:
    """A prepaid account can pay for fewer SMS units at its present price. Both fields are units, 0 to 1,000,000."""

    threshold: int
    margin: int


@dataclass(frozen=True, slots=True)
class SmsFailing:
    """Of the account's latest messages, the threshold or more failed."""

    threshold: Decimal = Decimal(20)
    """Percent, more than 0 and at most 100."""
    margin: Decimal = Decimal(5)
    """Percent, 0 to 100."""
    window: timedelta = timedelta(minutes=15)
    """How far back messages count, a minute to a day; the latest LATEST_MESSAGES of them are looked at."""
    least_messages: int = 20
    """With fewer messages that have ended the share of failures counts as 0; 1 to 1,000."""


@dataclass(frozen=True, slots=True)
class OutcomesUnknown:
    """The threshold or more messages of the whole system have an unknown outcome. Both fields count messages."""

    threshold: int = 100
    """1 to 1,000,000."""
    margin: int = 50
    """0 to 1,000,000."""


@dataclass(frozen=True, slots=True)
class CarrierDown:
    """No process could use a carrier for the threshold or longer, although no operator took it out of use."""

    threshold: timedelta = timedelta(seconds=60)
    """More than 0 and at most 1,000,000 seconds."""
    margin: timedelta = timedelta(0)
    """0 to 1,000,000 seconds. Matters only after the threshold was changed: a carrier that is back is down for 0."""


@dataclass(frozen=True, slots=True)
class CarrierBalanceLow:
    """Our account at a carrier holds less than the threshold. Both fields are KES, 0 to 1,000,000."""

    threshold: Decimal = Decimal(1_000)
    margin: Decimal = Decimal(100)


@dataclass(frozen=True, slots=True)
class SmsPumping:
    """Blocks of numbers that the account sent to look pumped, the threshold or more. Both fields count blocks."""

    threshold: int = 1
    """1 to 1,000,000."""
    margin: int = 1
    """0 to 1,000,000."""


Condition = BalanceLow | UnitsLow | SmsFailing | OutcomesUnknown | CarrierDown | CarrierBalanceLow | SmsPumping

_KINDS: Final[Mapping[type[Condition], AlertKind]] = {
    BalanceLow: AlertKind.BALANCE_LOW,
    UnitsLow: AlertKind.BALANCE_LOW,
    SmsFailing: AlertKind.SMS_FAILING,
    OutcomesUnknown: AlertKind.OUTCOMES_UNKNOWN,
    CarrierDown: AlertKind.CARRIER_DOWN,
    CarrierBalanceLow: AlertKind.CARRIER_BALANCE_LOW,
    SmsPumping: AlertKind.SMS_PUMPING,
}
_TOO_LITTLE: Final = (BalanceLow, UnitsLow, CarrierBalanceLow)
"""Conditions that warn of too little; the others warn of too much."""
_MOST: Final = 1_000_000
_MOST_PERCENT: Final = 100
_SHORTEST_WINDOW: Final = timedelta(minutes=1)
_LONGEST_WINDOW: Final = timedelta(days=1)
_MOST_MESSAGES_NEEDED: Final = 1_000


def kind_of(condition: Condition) -> AlertKind:
    """What a condition watches."""
    return _KINDS[type(condition)]


def as_number(amount: Amount) -> Decimal:
    """A threshold or margin as a number of its unit, seconds for a time."""
    if isinstance(amount, timedelta):
        return Decimal(amount // timedelta(microseconds=1)) / 1_000_000
    return Decimal(amount)


def crossed(condition: Condition, value: Decimal) -> tuple[bool, bool]:
    """Whether a value is on the bad side of the threshold, and whether it is back on the good side by the margin."""
    threshold, margin = as_number(condition.threshold), as_number(condition.margin)
    if isinstance(condition, _TOO_LITTLE):
        return value < threshold, value >= threshold + margin
    # Nothing is less than none: a margin that leaves no room is back at none.
    return value >= threshold, value < threshold and value <= max(threshold - margin, Decimal(0))


def out_of_range(condition: Condition) -> Sequence[tuple[str, str]]:
    """The fields of a condition that are out of range, each with the values that are allowed."""
    most = _MOST_PERCENT if isinstance(condition, SmsFailing) else _MOST
    unit = _unit(condition)
    threshold, margin = as_number(condition.threshold), as_number(condition.margin)
    may_be_0 = isinstance(condition, _TOO_LITTLE)
    first = "0" if may_be_0 else "more than 0 and up"
    checks = [
        ("threshold", 0 <= threshold <= most and (may_be_0 or threshold > 0), f"{first} to {most:,} {unit}"),
        ("margin", 0 <= margin <= most, f"0 to {most:,} {unit}"),
    ]
    if isinstance(condition, SmsFailing):
        is_window = _SHORTEST_WINDOW <= condition.window <= _LONGEST_WINDOW
        is_enough = 1 <= condition.least_messages <= _MOST_MESSAGES_NEEDED
        checks += [
            ("window", is_window, "60 to 86,400 seconds"),
            ("least_messages", is_enough, f"1 to {_MOST_MESSAGES_NEEDED:,} messages"),
        ]
    return [(field, allowed) for field, holds, allowed in checks if not holds]


def _unit(condition: Condition) -> str:
    match condition:
        case BalanceLow() | CarrierBalanceLow():
            return "KES"
        case UnitsLow():
            return "SMS units"
        case SmsFailing():
            return "percent"
        case OutcomesUnknown():
            return "messages"
        case CarrierDown():
            return "seconds"
        case SmsPumping():
            return "blocks"
