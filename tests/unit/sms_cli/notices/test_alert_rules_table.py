"""The table of alert rules at the terminal: each condition in its own unit."""

from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from typer.testing import CliRunner

from sms_cli.application import application
from sms_cli.notices import alerts_commands
from tukupay.sms.messaging.v1 import alerts_pb2 as pb

RULES = [
    (
        pb.AlertRule(enabled=True, balance_low=pb.BalanceLow(threshold_micros=1_000_500_000, margin_micros=0)),
        "balance.low\tyes\t1,000.5\t0\t",
    ),
    (
        pb.AlertRule(
            units_low=pb.UnitsLow(threshold_units=1_000, margin_units=100),
            quiet_hours=pb.QuietHours(start_minute=1_320, end_minute=390),
        ),
        "balance.low\tno\t1,000 units\t100 units\t22:00 to 06:30",
    ),
    (
        pb.AlertRule(
            enabled=True,
            sms_failing=pb.SmsFailing(threshold_percent_micros=12_500_000, margin_percent_micros=5_000_000),
        ),
        "sms.failing\tyes\t12.5\t5\t",
    ),
    (
        pb.AlertRule(outcomes_unknown=pb.OutcomesUnknown(threshold_messages=1_000, margin_messages=50)),
        "outcomes.unknown\tno\t1,000\t50\t",
    ),
    (
        pb.AlertRule(carrier_down=pb.CarrierDown(threshold=Duration(seconds=60), margin=Duration(nanos=500_000_000))),
        "carrier.down\tno\t60\t0.5\t",
    ),
    (
        pb.AlertRule(carrier_balance_low=pb.CarrierBalanceLow(threshold_micros=10**9, margin_micros=10**8)),
        "carrier.balance_low\tno\t1,000\t100\t",
    ),
    (
        pb.AlertRule(enabled=True, sms_pumping=pb.SmsPumping(threshold_blocks=2, margin_blocks=1)),
        "sms.pumping\tyes\t2\t1\t",
    ),
    # A condition that a newer service knows and this program does not.
    (pb.AlertRule(enabled=True), "\tyes\t\t\t"),
]


def test_each_rule_is_shown_in_the_unit_of_its_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = pb.GetAlertRulesResponse(rules=[rule for rule, _ in RULES])
    monkeypatch.setattr(alerts_commands, "ask_messaging", lambda *_: answer)
    done = CliRunner().invoke(application, ["alerts", "rules", "--user", "user123"])
    assert done.exit_code == 0, done.output
    head, *lines = done.stdout.splitlines()
    assert head == "kind\twatches\tthreshold\tmargin\tquiet"
    assert [line.rstrip() for line in lines] == [expected.rstrip() for _, expected in RULES]
