"""Rules and alerts from and to the wire."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from google.protobuf.duration_pb2 import Duration

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
)
from messaging_service.notices.domain.alerts import Alert, AlertRule, QuietHours, alert_id
from messaging_service.notices.manage_alerts import alert_not_found
from messaging_service.shared.domain import reasons
from messaging_service.shared.grpc import wire
from service_kit.errors import Violation, invalid
from tukupay.sms.messaging.v1 import alerts_pb2 as pb

ALERT_KINDS: Mapping[AlertKind, pb.AlertKind.ValueType] = {
    AlertKind.BALANCE_LOW: pb.ALERT_KIND_BALANCE_LOW,
    AlertKind.SMS_FAILING: pb.ALERT_KIND_SMS_FAILING,
    AlertKind.OUTCOMES_UNKNOWN: pb.ALERT_KIND_OUTCOMES_UNKNOWN,
    AlertKind.CARRIER_DOWN: pb.ALERT_KIND_CARRIER_DOWN,
    AlertKind.CARRIER_BALANCE_LOW: pb.ALERT_KIND_CARRIER_BALANCE_LOW,
    AlertKind.SMS_PUMPING: pb.ALERT_KIND_SMS_PUMPING,
}
_ID: Final = re.compile(r"alert_([0-9a-f]{32})")
_MICROS: Final = 1_000_000


def to_alert_id(text: str) -> UUID:
    """The id of an alert; what cannot be an id does not exist."""
    match = _ID.fullmatch(text)
    if match is None:
        raise alert_not_found()
    return UUID(hex=match[1])


def to_rule(field: str, message: pb.AlertRule) -> AlertRule:
    """The rule of a message, whose ranges the use case checks. Raises ServiceError INVALID naming a field below."""
    quiet = message.quiet_hours
    return AlertRule(
        _to_condition(field, message),
        enabled=message.enabled,
        quiet=QuietHours(quiet.start_minute, quiet.end_minute) if message.HasField("quiet_hours") else None,
    )


def _to_condition(field: str, message: pb.AlertRule) -> Condition:
    match message.WhichOneof("condition"):
        case "balance_low":
            low = message.balance_low
            return BalanceLow(_decimal(low.threshold_micros), _decimal(low.margin_micros))
        case "units_low":
            return UnitsLow(message.units_low.threshold_units, message.units_low.margin_units)
        case "sms_failing":
            return _to_failing(f"{field}.sms_failing", message.sms_failing)
        case "outcomes_unknown" | "sms_pumping":
            return _to_counting(message)
        case "carrier_down":
            down = message.carrier_down
            return CarrierDown(
                _time(f"{field}.carrier_down.threshold", down.threshold),
                _time(f"{field}.carrier_down.margin", down.margin),
            )
        case "carrier_balance_low":
            poor = message.carrier_balance_low
            return CarrierBalanceLow(_decimal(poor.threshold_micros), _decimal(poor.margin_micros))
        case None:
            raise invalid([Violation(f"{field}.condition", reasons.REQUIRED, "is not set; say what the rule watches")])


def _to_counting(message: pb.AlertRule) -> Condition:
    if message.HasField("sms_pumping"):
        return SmsPumping(message.sms_pumping.threshold_blocks, message.sms_pumping.margin_blocks)
    unknown = message.outcomes_unknown
    return OutcomesUnknown(unknown.threshold_messages, unknown.margin_messages)


def _to_failing(field: str, message: pb.SmsFailing) -> SmsFailing:
    default = SmsFailing()
    return SmsFailing(
        _decimal(message.threshold_percent_micros),
        _decimal(message.margin_percent_micros),
        _time(f"{field}.window", message.window) if message.HasField("window") else default.window,
        message.least_messages or default.least_messages,
    )


def from_rule(rule: AlertRule) -> pb.AlertRule:
    """The public form of a rule."""
    message = pb.AlertRule(enabled=rule.enabled)
    if rule.quiet is not None:
        message.quiet_hours.CopyFrom(pb.QuietHours(start_minute=rule.quiet.start, end_minute=rule.quiet.end))
    match rule.condition:
        case BalanceLow(threshold, margin):
            low = pb.BalanceLow(threshold_micros=_micros(threshold), margin_micros=_micros(margin))
            message.balance_low.CopyFrom(low)
        case UnitsLow(units, margin_units):
            message.units_low.CopyFrom(pb.UnitsLow(threshold_units=units, margin_units=margin_units))
        case SmsFailing(percent, margin_percent, window, least_messages):
            failing = pb.SmsFailing(
                threshold_percent_micros=_micros(percent),
                margin_percent_micros=_micros(margin_percent),
                window=_duration(window),
                least_messages=least_messages,
            )
            message.sms_failing.CopyFrom(failing)
        case OutcomesUnknown(count, margin_count):
            unknown = pb.OutcomesUnknown(threshold_messages=count, margin_messages=margin_count)
            message.outcomes_unknown.CopyFrom(unknown)
        case CarrierDown(down_for, margin_time):
            down = pb.CarrierDown(threshold=_duration(down_for), margin=_duration(margin_time))
            message.carrier_down.CopyFrom(down)
        case CarrierBalanceLow(threshold, margin):
            poor = pb.CarrierBalanceLow(threshold_micros=_micros(threshold), margin_micros=_micros(margin))
            message.carrier_balance_low.CopyFrom(poor)
        case SmsPumping(blocks, margin_blocks):
            message.sms_pumping.CopyFrom(pb.SmsPumping(threshold_blocks=blocks, margin_blocks=margin_blocks))
    return message


def from_alert(alert: Alert) -> pb.Alert:
    """The public form of an alert."""
    resolved, acknowledged = alert.resolved_at, alert.acknowledged_at
    return pb.Alert(
        alert_id=alert_id(alert.id),
        user_id=alert.account_id,
        kind=ALERT_KINDS[alert.kind],
        subject=alert.subject,
        value_micros=_micros(alert.value),
        threshold_micros=_micros(alert.threshold),
        raised_time=wire.from_instant(alert.raised_at),
        resolved_time=None if resolved is None else wire.from_instant(resolved),
        acknowledged_time=None if acknowledged is None else wire.from_instant(acknowledged),
        acknowledged_by=alert.acknowledged_by,
        pending_deliveries=alert.pending,
        delivered_deliveries=alert.delivered,
        failed_deliveries=alert.failed,
    )


def _decimal(micros: int) -> Decimal:
    return Decimal(micros) / _MICROS


def _micros(number: Decimal) -> int:
    return int(number * _MICROS)


def _time(field: str, duration: Duration) -> timedelta:
    try:
        return duration.ToTimedelta()
    except (ValueError, OverflowError):
        raise invalid([Violation(field, reasons.OUT_OF_RANGE, "is not a duration; give seconds")]) from None


def _duration(time: timedelta) -> Duration:
    duration = Duration()
    duration.FromTimedelta(time)
    return duration
