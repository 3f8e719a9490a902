"""Rows of rules and alerts from and to the domain."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from messaging_service.notices.domain.alert_conditions import (
    AlertKind,
    BalanceLow,
    CarrierBalanceLow,
    CarrierDown,
    Condition,
    OutcomesUnknown,
    SmsFailing,
    SmsPumping,
    UnitsLow,
    as_number,
)
from messaging_service.notices.domain.alerts import Alert, AlertRule, QuietHours
from messaging_service.shared.postgres.record_columns import RecordColumns

ALERT: Final = RecordColumns(
    Alert, table="a", sql={"pending": "d.pending", "delivered": "d.delivered", "failed": "d.failed"}
)
"""Of a table of alerts aliased `a`, and of the counts of their deliveries aliased `d`."""


class RuleRow(NamedTuple):
    """A rule as the table has it: the columns of all conditions side by side."""

    kind: str
    enabled: bool
    threshold: Decimal
    """In the unit of the kind, as is the margin."""
    margin: Decimal
    in_units: bool
    window_s: int
    """This and the next are those of SmsFailing; rules of other kinds have its defaults."""
    least_messages: int
    quiet_start: int | None
    quiet_end: int | None


def to_rule(row: RuleRow) -> AlertRule:
    """The rule in a row."""
    quiet = None
    if row.quiet_start is not None and row.quiet_end is not None:
        quiet = QuietHours(row.quiet_start, row.quiet_end)
    return AlertRule(_to_condition(row), enabled=row.enabled, quiet=quiet)


def _to_condition(row: RuleRow) -> Condition:
    threshold, margin = row.threshold, row.margin
    match AlertKind(row.kind):
        case AlertKind.BALANCE_LOW:
            return UnitsLow(math.ceil(threshold), math.ceil(margin)) if row.in_units else BalanceLow(threshold, margin)
        case AlertKind.SMS_FAILING:
            return SmsFailing(threshold, margin, timedelta(seconds=row.window_s), row.least_messages)
        case AlertKind.OUTCOMES_UNKNOWN:
            return OutcomesUnknown(math.ceil(threshold), math.ceil(margin))
        case AlertKind.CARRIER_DOWN:
            return CarrierDown(_to_time(threshold), _to_time(margin))
        case AlertKind.CARRIER_BALANCE_LOW:
            return CarrierBalanceLow(threshold, margin)
        case AlertKind.SMS_PUMPING:
            return SmsPumping(math.ceil(threshold), math.ceil(margin))


def _to_time(seconds: Decimal) -> timedelta:
    return timedelta(microseconds=int(seconds * 1_000_000))


def from_rule(rule: AlertRule) -> RuleRow:
    """The row of a rule."""
    condition = rule.condition
    failing = condition if isinstance(condition, SmsFailing) else SmsFailing()
    return RuleRow(
        kind=rule.kind.value,
        enabled=rule.enabled,
        threshold=as_number(condition.threshold),
        margin=as_number(condition.margin),
        in_units=isinstance(condition, UnitsLow),
        window_s=int(failing.window.total_seconds()),
        least_messages=failing.least_messages,
        quiet_start=None if rule.quiet is None else rule.quiet.start,
        quiet_end=None if rule.quiet is None else rule.quiet.end,
    )
