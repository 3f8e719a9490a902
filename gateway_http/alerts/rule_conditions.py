"""The conditions of rules: one pair of numbers in REST, a typed message for each unit on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from google.protobuf.duration_pb2 import Duration

from tukupay.sms.messaging.v1 import alerts_pb2 as pb

KindName = Literal[
    "balance.low", "sms.failing", "outcomes.unknown", "carrier.down", "carrier.balance_low", "sms.pumping"
]

_MICROS: Final = 1_000_000
WINDOW_S: Final = 900
LEAST_MESSAGES: Final = 20
"""The window and the least messages that rules show which have none of their own."""


@dataclass(frozen=True, slots=True)
class RestCondition:
    """A condition as REST spells it."""

    kind: KindName
    threshold_micros: int
    """Millionths of KES, SMS units, percent, messages, seconds or blocks."""
    margin_micros: int
    """In the same unit."""
    in_units: bool = False
    window_seconds: int = WINDOW_S
    least_messages: int = LEAST_MESSAGES

    @property
    def is_whole(self) -> bool:
        """Whether its unit has no fractions: SMS units, messages and blocks."""
        return self.in_units or self.kind in {"outcomes.unknown", "sms.pumping"}

    def put_into(self, rule: pb.AlertRule) -> None:
        """Sets the condition of a rule on the wire. Numbers without fractions must be whole."""
        threshold, margin = self.threshold_micros, self.margin_micros
        match self.kind:
            case "balance.low" if self.in_units:
                units = pb.UnitsLow(threshold_units=threshold // _MICROS, margin_units=margin // _MICROS)
                rule.units_low.CopyFrom(units)
            case "balance.low":
                rule.balance_low.CopyFrom(pb.BalanceLow(threshold_micros=threshold, margin_micros=margin))
            case "sms.failing":
                failing = pb.SmsFailing(
                    threshold_percent_micros=threshold,
                    margin_percent_micros=margin,
                    window=Duration(seconds=self.window_seconds),
                    least_messages=self.least_messages,
                )
                rule.sms_failing.CopyFrom(failing)
            case "outcomes.unknown":
                unknown = pb.OutcomesUnknown(threshold_messages=threshold // _MICROS, margin_messages=margin // _MICROS)
                rule.outcomes_unknown.CopyFrom(unknown)
            case "carrier.down":
                rule.carrier_down.CopyFrom(pb.CarrierDown(threshold=_duration(threshold), margin=_duration(margin)))
            case "carrier.balance_low":
                poor = pb.CarrierBalanceLow(threshold_micros=threshold, margin_micros=margin)
                rule.carrier_balance_low.CopyFrom(poor)
            case "sms.pumping":
                pumping = pb.SmsPumping(threshold_blocks=threshold // _MICROS, margin_blocks=margin // _MICROS)
                rule.sms_pumping.CopyFrom(pumping)


def condition_of(rule: pb.AlertRule) -> RestCondition:
    """The condition of a rule on the wire. Raises ValueError when it is one that REST does not know."""
    match rule.WhichOneof("condition"):
        case "balance_low":
            return RestCondition("balance.low", rule.balance_low.threshold_micros, rule.balance_low.margin_micros)
        case "units_low":
            units = rule.units_low
            threshold, margin = units.threshold_units * _MICROS, units.margin_units * _MICROS
            return RestCondition("balance.low", threshold, margin, in_units=True)
        case "sms_failing":
            failing = rule.sms_failing
            return RestCondition(
                "sms.failing",
                failing.threshold_percent_micros,
                failing.margin_percent_micros,
                window_seconds=failing.window.seconds,
                least_messages=failing.least_messages,
            )
        case "outcomes_unknown" | "sms_pumping":
            return _counting(rule)
        case "carrier_down":
            down = rule.carrier_down
            threshold, margin = down.threshold.ToMicroseconds(), down.margin.ToMicroseconds()
            return RestCondition("carrier.down", threshold, margin)
        case "carrier_balance_low":
            poor = rule.carrier_balance_low
            return RestCondition("carrier.balance_low", poor.threshold_micros, poor.margin_micros)
        case None:
            raise ValueError("the rule has no condition that is known here")


def _counting(rule: pb.AlertRule) -> RestCondition:
    """The condition of a rule whose numbers are whole."""
    if rule.HasField("sms_pumping"):
        blocks = rule.sms_pumping
        return RestCondition("sms.pumping", blocks.threshold_blocks * _MICROS, blocks.margin_blocks * _MICROS)
    unknown = rule.outcomes_unknown
    threshold, margin = unknown.threshold_messages * _MICROS, unknown.margin_messages * _MICROS
    return RestCondition("outcomes.unknown", threshold, margin)


def _duration(micros: int) -> Duration:
    seconds, rest = divmod(micros, _MICROS)
    return Duration(seconds=seconds, nanos=rest * 1_000)
