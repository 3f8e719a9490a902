"""Rows of rules and alerts from and to the domain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from messaging_service.notices.domain.alert_conditions import (
    AlertKind,
    BalanceLow,
    CarrierBalanceLow,
    CarrierDown,
    Condition,
    OutcomesUnknown,
    SmsFailing,
    UnitsLow,
    as_number,
)
from messaging_service.notices.domain.alerts import Alert, AlertRule, QuietHours

RULE_COLUMNS: Final = "kind, enabled, threshold, margin, in_units, window_s, least_messages, quiet_start, quiet_end"
"""Thresholds and margins are in the unit of the kind; the window and the least messages are those of SmsFailing."""


def to_rule(row: Sequence[Any]) -> AlertRule:
    """One row of RULE_COLUMNS."""
    kind, enabled, *condition, quiet_start, quiet_end = row
    quiet = None if quiet_start is None else QuietHours(quiet_start, quiet_end)
    return AlertRule(_to_condition(AlertKind(kind), condition), enabled=enabled, quiet=quiet)


def _to_condition(kind: AlertKind, columns: Sequence[Any]) -> Condition:
    threshold, margin, in_units, window_s, least_messages = columns
    match kind:
        case AlertKind.BALANCE_LOW:
            return UnitsLow(math.ceil(threshold), math.ceil(margin)) if in_units else BalanceLow(threshold, margin)
        case AlertKind.SMS_FAILING:
            return SmsFailing(threshold, margin, timedelta(seconds=window_s), least_messages)
        case AlertKind.OUTCOMES_UNKNOWN:
            return OutcomesUnknown(math.ceil(threshold), math.ceil(margin))
        case AlertKind.CARRIER_DOWN:
            return CarrierDown(_to_time(threshold), _to_time(margin))
        case AlertKind.CARRIER_BALANCE_LOW:
            return CarrierBalanceLow(threshold, margin)


def _to_time(seconds: Decimal) -> timedelta:
    return timedelta(microseconds=int(seconds * 1_000_000))


def from_rule(rule: AlertRule) -> dict[str, Any]:
    """The values of RULE_COLUMNS by name."""
    condition = rule.condition
    failing = condition if isinstance(condition, SmsFailing) else SmsFailing()
    return {
        "kind": rule.kind.value,
        "enabled": rule.enabled,
        "threshold": as_number(condition.threshold),
        "margin": as_number(condition.margin),
        "in_units": isinstance(condition, UnitsLow),
        "window_s": int(failing.window.total_seconds()),
        "least_messages": failing.least_messages,
        "quiet_start": None if rule.quiet is None else rule.quiet.start,
        "quiet_end": None if rule.quiet is None else rule.quiet.end,
    }


def to_alert(row: Sequence[Any]) -> Alert:
    """One row of an alert with the counts of its deliveries."""
    return Alert(row[0], row[1], AlertKind(row[2]), *row[3:])
