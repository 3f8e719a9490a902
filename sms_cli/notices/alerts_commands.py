"""`tukupay-sms alerts`: the alerts of accounts, and the rules that raise them."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer
from rich.table import Column, Table

from sms_cli.notices.endpoint_commands import channels
from sms_cli.shared.enum_words import enum_words
from sms_cli.shared.service_calls import ask_messaging
from sms_cli.shared.terminal import cell, out, print_table
from sms_cli.shared.terminal_instants import shown
from tukupay.sms.messaging.v1 import alerts_pb2 as pb
from tukupay.sms.messaging.v1.alerts_pb2_grpc import AlertServiceStub

alerts = typer.Typer(help="Alerts of accounts: list, acknowledge, rules, channels.", no_args_is_help=True)
alerts.add_typer(channels, name="channels")

_MICROS = 1_000_000
_WORDS = {number: word.replace("_", ".", 1) for word, number in enum_words(pb.AlertKind).items()}
_CONDITIONS = {
    "balance_low": "balance.low",
    "units_low": "balance.low",
    "sms_failing": "sms.failing",
    "outcomes_unknown": "outcomes.unknown",
    "carrier_down": "carrier.down",
    "carrier_balance_low": "carrier.balance_low",
    "sms_pumping": "sms.pumping",
}
"""The kind of each condition, as it is shown."""

User = Annotated[str, typer.Option(help="The account.")]


@alerts.command("list")
def list_alerts(
    user: User = "user123",
    limit: Annotated[int, typer.Option(min=1, max=500, help="Maximum number of rows.")] = 20,
    *,
    only_open: Annotated[bool, typer.Option("--open", help="Only open alerts.")] = False,
) -> None:
    """Show the alerts of an account, newest first."""
    request = pb.ListAlertsRequest(user_id=user, only_open=only_open, page_size=limit)
    answer: pb.ListAlertsResponse = ask_messaging(AlertServiceStub, lambda stub: stub.ListAlerts(request))
    found = list(answer.alerts)
    if not found:
        none = f"No alert of {user} is open." if only_open else f"{user} was not warned of anything."
        out.print(none, markup=False)
        return
    table = Table(
        Column("alert", no_wrap=True), "kind", "subject", "value", "raised", "resolved", "seen by", "notified"
    )
    for one in found:
        delivered = f"{one.delivered_deliveries} of {_deliveries(one)}"
        cells = (
            one.alert_id,
            _WORDS[one.kind],
            one.subject,
            f"{_amount(one.value_micros)} (threshold {_amount(one.threshold_micros)})",
            shown(one.raised_time),
            shown(one.resolved_time) if one.HasField("resolved_time") else None,
            one.acknowledged_by if one.HasField("acknowledged_by") else None,
            delivered,
        )
        table.add_row(*map(cell, cells))
    print_table(table, wraps={"value"})


@alerts.command("ack")
def acknowledge(
    alert: Annotated[str, typer.Argument(help="The alert's id.")],
    by: Annotated[str | None, typer.Option(help="Who acknowledges it; your user name if absent.")] = None,
) -> None:
    """Acknowledge an alert; the first name stays."""
    request = pb.AcknowledgeAlertRequest(alert_id=alert, acknowledged_by=by or getpass.getuser())
    answer: pb.AcknowledgeAlertResponse = ask_messaging(AlertServiceStub, lambda stub: stub.AcknowledgeAlert(request))
    seen = answer.alert
    out.print(f"seen by {seen.acknowledged_by}, {shown(seen.acknowledged_time)}", markup=False)


@alerts.command("rules")
def rules(user: User = "user123") -> None:
    """Show the alert rules of an account, defaults included."""
    request = pb.GetAlertRulesRequest(user_id=user)
    answer: pb.GetAlertRulesResponse = ask_messaging(AlertServiceStub, lambda stub: stub.GetAlertRules(request))
    table = Table("kind", "watches", "threshold", "margin", "quiet")
    for one in answer.rules:
        kind, threshold, margin = _condition(one)
        quiet = one.quiet_hours
        hours = f"{_clock(quiet.start_minute)} to {_clock(quiet.end_minute)}" if one.HasField("quiet_hours") else None
        cells = (kind, "yes" if one.enabled else "no", threshold, margin, hours)
        table.add_row(*map(cell, cells))
    print_table(table, wraps={"value"})


def _condition(rule: pb.AlertRule) -> tuple[str, str, str]:
    """The kind of a rule, its threshold and its margin, as they are shown."""
    kind = rule.WhichOneof("condition")
    limits = "", ""
    match kind:
        case "balance_low" | "carrier_balance_low":
            low = rule.balance_low if kind == "balance_low" else rule.carrier_balance_low
            limits = _amount(low.threshold_micros), _amount(low.margin_micros)
        case "units_low":
            limits = f"{rule.units_low.threshold_units:,} units", f"{rule.units_low.margin_units:,} units"
        case "sms_failing":
            failing = rule.sms_failing
            limits = _amount(failing.threshold_percent_micros), _amount(failing.margin_percent_micros)
        case "outcomes_unknown":
            unknown = rule.outcomes_unknown
            limits = f"{unknown.threshold_messages:,}", f"{unknown.margin_messages:,}"
        case "carrier_down":
            down = rule.carrier_down
            limits = _amount(down.threshold.ToMicroseconds()), _amount(down.margin.ToMicroseconds())
        case "sms_pumping":
            limits = f"{rule.sms_pumping.threshold_blocks:,}", f"{rule.sms_pumping.margin_blocks:,}"
    return "" if kind is None else _CONDITIONS[kind], *limits


def _deliveries(one: pb.Alert) -> int:
    return one.pending_deliveries + one.delivered_deliveries + one.failed_deliveries


def _amount(micros: int) -> str:
    whole, fraction = divmod(micros, _MICROS)
    return f"{whole:,}" + (f".{fraction:06}".rstrip("0") if fraction else "")


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
