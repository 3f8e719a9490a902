"""AlertService over gRPC."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from messaging_service.notices.domain.alerts import (
    BELOW,
    DEFAULTS,
    MINUTES_OF_DAY,
    Alert,
    AlertKind,
    AlertRule,
    QuietHours,
    alert_id,
)
from messaging_service.notices.grpc import newest_first
from messaging_service.notices.manage_alerts import ManageAlerts, alert_not_found
from messaging_service.shared.grpc import wire
from service_kit.errors import Violation, invalid
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import alerts_pb2 as pb
from tukupay.sms.messaging.v1 import alerts_pb2_grpc

ALERT_KINDS: Mapping[AlertKind, pb.AlertKind.ValueType] = {
    AlertKind.BALANCE_LOW: pb.ALERT_KIND_BALANCE_LOW,
    AlertKind.SMS_FAILING: pb.ALERT_KIND_SMS_FAILING,
    AlertKind.OUTCOMES_UNKNOWN: pb.ALERT_KIND_OUTCOMES_UNKNOWN,
    AlertKind.CARRIER_DOWN: pb.ALERT_KIND_CARRIER_DOWN,
    AlertKind.CARRIER_BALANCE_LOW: pb.ALERT_KIND_CARRIER_BALANCE_LOW,
}
_KIND_OF: Final[dict[int, AlertKind]] = {value: key for key, value in ALERT_KINDS.items()}
_ID: Final = re.compile(r"alert_([0-9a-f]{32})")
_MICROS: Final = 1_000_000
_MOST: Final = 10**12
_MAX_WINDOW_S: Final = 86_400
_MAX_LEAST: Final = 1_000


class AlertServicer(alerts_pb2_grpc.AlertServiceServicer):
    """Translates between the stubs and the use cases."""

    def __init__(self, alerts: ManageAlerts) -> None:
        self._alerts = alerts

    async def GetAlertRules(self, request: pb.GetAlertRulesRequest, context: Context) -> pb.GetAlertRulesResponse:  # noqa: N802
        """See the proto."""
        rules = await self._alerts.rules(request.user_id)
        return pb.GetAlertRulesResponse(rules=[from_rule(rule) for rule in rules.values()])

    async def SetAlertRules(self, request: pb.SetAlertRulesRequest, context: Context) -> pb.SetAlertRulesResponse:  # noqa: N802
        """See the proto."""
        rules, faults = list[AlertRule](), list[Violation]()
        for place, message in enumerate(request.rules):
            field = f"rules[{place}]"
            found = _faults(field, message)
            if not found:
                rules.append(to_rule(message))
            faults += found
        if not request.rules:
            faults.append(Violation("rules", "REQUIRED", "is empty; give the rules to set"))
        if len({rule.kind for rule in rules}) < len(rules):
            faults.append(Violation("rules", "NOT_ALLOWED", "has two rules of one kind; give one of each"))
        if faults:
            raise invalid(faults)
        now = await self._alerts.set_rules(request.user_id, rules)
        return pb.SetAlertRulesResponse(rules=[from_rule(rule) for rule in now.values()])

    async def ListAlerts(self, request: pb.ListAlertsRequest, context: Context) -> pb.ListAlertsResponse:  # noqa: N802
        """See the proto."""
        size = newest_first.page_size(request.page_size)
        question = (request.user_id, int(request.only_open))
        after = newest_first.after(request.page_token, question)
        found = await self._alerts.alerts(request.user_id, size + 1, after, only_open=request.only_open)
        page = found[:size]
        token = newest_first.next_token(len(found), size, (page[-1].raised_at, page[-1].id), question) if page else ""
        return pb.ListAlertsResponse(alerts=[from_alert(alert) for alert in page], next_page_token=token)

    async def AcknowledgeAlert(  # noqa: N802
        self, request: pb.AcknowledgeAlertRequest, context: Context
    ) -> pb.AcknowledgeAlertResponse:
        """See the proto."""
        match = _ID.fullmatch(request.alert_id)
        if match is None:
            raise alert_not_found()
        alert = await self._alerts.acknowledge(UUID(hex=match[1]), request.acknowledged_by)
        return pb.AcknowledgeAlertResponse(alert=from_alert(alert))


def from_rule(rule: AlertRule) -> pb.AlertRule:
    """The public form of a rule."""
    quiet = rule.quiet
    return pb.AlertRule(
        kind=ALERT_KINDS[rule.kind],
        enabled=rule.enabled,
        threshold_micros=int(rule.threshold * _MICROS),
        margin_micros=int(rule.margin * _MICROS),
        in_units=rule.in_units,
        window_seconds=int(rule.window.total_seconds()),
        least_messages=rule.least_messages,
        quiet_hours=None if quiet is None else pb.QuietHours(start_minute=quiet.start, end_minute=quiet.end),
    )


def to_rule(message: pb.AlertRule) -> AlertRule:
    """The rule of a message without faults."""
    kind = _KIND_OF[message.kind]
    default, quiet = DEFAULTS[kind], message.quiet_hours
    return AlertRule(
        kind=kind,
        enabled=message.enabled,
        threshold=Decimal(message.threshold_micros) / _MICROS,
        margin=Decimal(message.margin_micros) / _MICROS,
        in_units=message.in_units,
        window=timedelta(seconds=message.window_seconds) if message.window_seconds else default.window,
        least_messages=message.least_messages or default.least_messages,
        quiet=QuietHours(quiet.start_minute, quiet.end_minute) if message.HasField("quiet_hours") else None,
    )


def _faults(field: str, message: pb.AlertRule) -> list[Violation]:
    kind = _KIND_OF.get(message.kind)
    if kind is None:
        return [Violation(f"{field}.kind", "INVALID_VALUE", "is none of AlertKind, or UNSPECIFIED; give one")]
    least_threshold = 0 if kind in BELOW else 1
    quiet = message.quiet_hours
    checks = (
        ("threshold_micros", least_threshold <= message.threshold_micros <= _MOST, f"0 to {_MOST:,} millionths"),
        ("margin_micros", 0 <= message.margin_micros <= _MOST, f"0 to {_MOST:,} millionths"),
        ("in_units", not message.in_units or kind is AlertKind.BALANCE_LOW, "true for BALANCE_LOW only"),
        (
            "window_seconds",
            message.window_seconds == 0 or 60 <= message.window_seconds <= _MAX_WINDOW_S,
            f"60 to {_MAX_WINDOW_S:,}, or 0 for the default",
        ),
        ("least_messages", 0 <= message.least_messages <= _MAX_LEAST, f"1 to {_MAX_LEAST:,}, or 0 for the default"),
        (
            "quiet_hours",
            not message.HasField("quiet_hours")
            or (
                0 <= quiet.start_minute < MINUTES_OF_DAY
                and 0 <= quiet.end_minute < MINUTES_OF_DAY
                and quiet.start_minute != quiet.end_minute
            ),
            "two different minutes of the day, 0 to 1,439",
        ),
    )
    return [
        Violation(f"{field}.{name}", "OUT_OF_RANGE", f"is out of range; give {right}")
        for name, holds, right in checks
        if not holds
    ]


def from_alert(alert: Alert) -> pb.Alert:
    """The public form of an alert."""
    resolved, acknowledged = alert.resolved_at, alert.acknowledged_at
    return pb.Alert(
        alert_id=alert_id(alert.id),
        user_id=alert.account_id,
        kind=ALERT_KINDS[alert.kind],
        subject=alert.subject,
        value_micros=int(alert.value * _MICROS),
        threshold_micros=int(alert.threshold * _MICROS),
        raised_time=wire.from_instant(alert.raised_at),
        resolved_time=None if resolved is None else wire.from_instant(resolved),
        acknowledged_time=None if acknowledged is None else wire.from_instant(acknowledged),
        acknowledged_by=alert.acknowledged_by,
        pending_deliveries=alert.pending,
        delivered_deliveries=alert.delivered,
        failed_deliveries=alert.failed,
    )
