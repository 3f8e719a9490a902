"""Alerts and their rules as REST takes and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from gateway_http.alerts.rule_conditions import LEAST_MESSAGES, WINDOW_S, KindName, RestCondition, condition_of
from gateway_http.shared import reasons
from gateway_http.shared.problem import invalid_fields
from gateway_http.shared.rest_instants import instant
from gateway_http.shared.rest_money import micros, number
from service_kit.errors import Violation
from tukupay.sms.messaging.v1 import alerts_pb2 as pb

KINDS: dict[KindName, pb.AlertKind.ValueType] = {
    "balance.low": pb.ALERT_KIND_BALANCE_LOW,
    "sms.failing": pb.ALERT_KIND_SMS_FAILING,
    "outcomes.unknown": pb.ALERT_KIND_OUTCOMES_UNKNOWN,
    "carrier.down": pb.ALERT_KIND_CARRIER_DOWN,
    "carrier.balance_low": pb.ALERT_KIND_CARRIER_BALANCE_LOW,
    "sms.pumping": pb.ALERT_KIND_SMS_PUMPING,
}
_KIND_NAMES: dict[int, KindName] = {value: name for name, value in KINDS.items()}
_MOST = 1_000_000
_MOST_MICROS = _MOST * 1_000_000
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"

_Amount = Annotated[
    Raw,
    Meta(
        description="KES, SMS units, percent, messages, seconds or blocks, as the kind says; at most 6 decimal places, "
        "none of SMS units, messages and blocks.",
        extra_json_schema={"type": "number", "minimum": 0, "maximum": _MOST},
    ),
]
_Clock = Annotated[str, Meta(pattern=_CLOCK, description="A time of the day in Nairobi, such as `22:00`.")]


class QuietHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Hours of each day in which alerts are recorded, but posted only afterwards."""

    start: _Clock
    end: _Clock


class AlertRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What an account wants to be warned of."""

    kind: Annotated[KindName, Meta(description="What it watches; also the event that webhooks and channels get.")]
    enabled: Annotated[bool, Meta(description="Whether it watches. Disabling it resolves what is open.")]
    threshold: _Amount
    margin: _Amount
    in_units: Annotated[
        bool, Meta(description="For balance.low: threshold and margin are SMS units at the present price.")
    ] = False
    window_seconds: Annotated[
        int | None,
        Meta(
            description="For sms.failing: how far back messages count; 900 unless given.",
            extra_json_schema={"minimum": 60, "maximum": 86_400},
        ),
    ] = None
    least_messages: Annotated[
        int | None,
        Meta(
            description="For sms.failing: no alert before this many messages have ended; 20 unless given.",
            extra_json_schema={"minimum": 1, "maximum": 1_000},
        ),
    ] = None
    quiet_hours: Annotated[QuietHours | None, Meta(description="When nothing is posted; null for never.")] = None

    def to_message(self, field: str) -> pb.AlertRule:
        """The rule on the wire. Raises ProblemError for numbers that have no place there."""
        threshold = micros(bytes(self.threshold), f"{field}.threshold")
        margin = micros(bytes(self.margin), f"{field}.margin")
        faults = [amount for amount in (threshold, margin) if isinstance(amount, Violation)]
        faults += [
            Violation(f"{field}.{name}", reasons.OUT_OF_RANGE, f"is out of range; give {right}")
            for name, holds, right in (
                ("threshold", _fits(threshold), f"0 to {_MOST:,}"),
                ("margin", _fits(margin), f"0 to {_MOST:,}"),
                ("inUnits", not self.in_units or self.kind == "balance.low", "true for balance.low only"),
                ("windowSeconds", self.window_seconds is None or 60 <= self.window_seconds <= 86_400, "60 to 86,400"),
                ("leastMessages", self.least_messages is None or 1 <= self.least_messages <= 1_000, "1 to 1,000"),
            )
            if not holds
        ]
        if faults or isinstance(threshold, Violation) or isinstance(margin, Violation):
            raise invalid_fields(faults)
        condition = RestCondition(
            self.kind,
            threshold,
            margin,
            self.in_units,
            WINDOW_S if self.window_seconds is None else self.window_seconds,
            LEAST_MESSAGES if self.least_messages is None else self.least_messages,
        )
        amounts = {"threshold": threshold, "margin": margin}
        if condition.is_whole and (broken := [name for name, amount in amounts.items() if amount % 1_000_000]):
            problem = "has a fraction, which neither SMS units nor messages have; give a whole number"
            raise invalid_fields([Violation(f"{field}.{name}", reasons.OUT_OF_RANGE, problem) for name in broken])
        rule = pb.AlertRule(enabled=self.enabled)
        if (quiet := self.quiet_hours) is not None:
            minutes = pb.QuietHours(start_minute=_minute(quiet.start), end_minute=_minute(quiet.end))
            rule.quiet_hours.CopyFrom(minutes)
        condition.put_into(rule)
        return rule

    @classmethod
    def of(cls, rule: pb.AlertRule) -> AlertRule:
        """The rule of the messaging service as REST shows it."""
        condition, quiet = condition_of(rule), rule.quiet_hours
        return cls(
            kind=condition.kind,
            enabled=rule.enabled,
            threshold=number(condition.threshold_micros),
            margin=number(condition.margin_micros),
            in_units=condition.in_units,
            window_seconds=condition.window_seconds,
            least_messages=condition.least_messages,
            quiet_hours=QuietHours(start=_clock(quiet.start_minute), end=_clock(quiet.end_minute))
            if rule.HasField("quiet_hours")
            else None,
        )


class AlertRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Rules to set, or all that hold."""

    rules: Annotated[
        Sequence[AlertRule],
        Meta(
            description="At most one of each kind; kinds that are not given keep theirs.",
            extra_json_schema={"minItems": 1},
        ),
    ]

    def to_request(self, user_id: str) -> pb.SetAlertRulesRequest:
        """The call that sets them; raises ProblemError for what the wire cannot tell."""
        if not self.rules:
            raise invalid_fields([Violation("rules", reasons.REQUIRED, "is empty; give the rules to set")])
        rules = [rule.to_message(f"rules[{place}]") for place, rule in enumerate(self.rules)]
        return pb.SetAlertRulesRequest(user_id=user_id, rules=rules)


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Who has seen an alert."""

    acknowledged_by: Annotated[
        str, Meta(description="Who; kept with the alert.", extra_json_schema={"minLength": 1, "maxLength": 64})
    ]


class Deliveries(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of an alert's deliveries to webhooks and channels."""

    pending: Annotated[int, Meta(ge=0, description="Webhooks and channels that it is on its way to.")]
    delivered: Annotated[int, Meta(ge=0, description="Webhooks and channels that took it.")]
    failed: Annotated[int, Meta(ge=0, description="Webhooks and channels for which it was given up.")]


class Alert(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A warning."""

    alert_id: Annotated[str, Meta(description="Unique identifier of the alert.")]
    user_id: Annotated[str, Meta(description="Whose rule raised it.")]
    kind: Annotated[KindName, Meta(description="What it warns of.")]
    subject: Annotated[str, Meta(description="The account, the carrier, or `system`.")]
    value: _Amount
    threshold: _Amount
    raised_at: Annotated[datetime, Meta(tz=True, description="When it was raised, in UTC.")]
    resolved_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="When the value had recovered; null until then."),
    ]
    acknowledged_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="When it was acknowledged; null until then.")
    ]
    acknowledged_by: Annotated[str | None, Meta(description="Who.")]
    deliveries: Deliveries

    @classmethod
    def of(cls, alert: pb.Alert) -> Alert:
        """The alert of the messaging service as REST shows it."""
        return cls(
            alert_id=alert.alert_id,
            user_id=alert.user_id,
            kind=_KIND_NAMES[alert.kind],
            subject=alert.subject,
            value=number(alert.value_micros),
            threshold=number(alert.threshold_micros),
            raised_at=instant(alert.raised_time),
            resolved_at=instant(alert.resolved_time) if alert.HasField("resolved_time") else None,
            acknowledged_at=instant(alert.acknowledged_time) if alert.HasField("acknowledged_time") else None,
            acknowledged_by=alert.acknowledged_by if alert.HasField("acknowledged_by") else None,
            deliveries=Deliveries(
                pending=alert.pending_deliveries,
                delivered=alert.delivered_deliveries,
                failed=alert.failed_deliveries,
            ),
        )


def _fits(amount: int | Violation) -> bool:
    """Whether an amount that could be read is within its bounds; one that could not has its own fault."""
    return isinstance(amount, Violation) or 0 <= amount <= _MOST_MICROS


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
