"""`tukupay-sms carriers`: the state of carriers, and taking them out of use and back."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from sms_cli.shared.enum_words import Enum, enum_word
from sms_cli.shared.kes_amounts import kes
from sms_cli.shared.options import AsJson
from sms_cli.shared.service_calls import ask_messaging
from sms_cli.shared.terminal import out, print_json, print_table
from sms_cli.shared.terminal_instants import shown
from tukupay.sms.messaging.v1 import carriers_pb2 as pb
from tukupay.sms.messaging.v1.carriers_pb2_grpc import CarrierServiceStub

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.carriers_pb2_grpc import CarrierServiceAsyncStub

carriers = typer.Typer(help="Show carriers; pause, drain and resume them.", invoke_without_command=True)

_PAGE = 500

Carrier = Annotated[str, typer.Argument(help="The carrier's name.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
By = Annotated[str | None, typer.Option(help="Who asks for it, for the record; your user name if absent.")]


@carriers.callback()
def show(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show every carrier: its binds, how much of its window is used, its rate and its errors."""
    if context.invoked_subcommand is not None:
        return
    answer = ask_messaging(CarrierServiceStub, _every_page)
    if as_json:
        print_json({"carriers": [record(report) for report in answer.carriers]})
        return
    several = len({report.replica for report in answer.carriers}) > 1
    table = Table("carrier", *(["replica"] if several else []), "state", "binds", "window", "last minute")
    for report in answer.carriers:
        name, replica, *cells = _cells(report)
        table.add_row(name, *([replica] if several else []), *cells)
    print_table(table, wraps={"state", "binds", "last minute"})
    for report in answer.carriers:
        for line in _lines(report):
            out.print(escape(f"{report.name}{f' at {report.replica}' if several else ''}: {line}"))
    for control in answer.controls:
        if control.mode != pb.CARRIER_MODE_RUNNING:
            said = f"{control.changed_by or 'somebody'}, {shown(control.changed_time)}"
            why = f": {control.reason}" if control.reason else ""
            out.print(f"{escape(control.carrier)} is {_word(pb.CarrierMode, control.mode)}", end="")
            out.print(f" ({escape(said)}){escape(why)}")


async def _every_page(stub: CarrierServiceAsyncStub) -> pb.ListCarriersResponse:
    """All pages as one."""
    request, whole = pb.ListCarriersRequest(page_size=_PAGE), pb.ListCarriersResponse()
    while True:
        page = await stub.ListCarriers(request)
        whole.MergeFrom(page)
        if not page.next_page_token:
            return whole
        request.page_token = page.next_page_token


@carriers.command()
def pause(carrier: Carrier, reason: Reason = "", by: By = None) -> None:
    """Give a carrier no more messages; it stays connected. Messages without another carrier wait in the queue."""
    _set(carrier, pb.CARRIER_MODE_PAUSED, reason, by)


@carriers.command()
def drain(carrier: Carrier, reason: Reason = "", by: By = None) -> None:
    """Give a carrier no more messages, wait for those under way, and disconnect."""
    _set(carrier, pb.CARRIER_MODE_DRAINED, reason, by)


@carriers.command()
def resume(carrier: Carrier, reason: Reason = "", by: By = None) -> None:
    """Use a carrier again."""
    _set(carrier, pb.CARRIER_MODE_RUNNING, reason, by)


def record(report: pb.CarrierReport) -> dict[str, object]:
    """A report as JSON."""
    return {
        "carrier": report.name,
        "kind": enum_word(pb.CarrierKind, report.kind),
        "replica": report.replica,
        "reportedAt": shown(report.reported_time),
        "isUp": report.is_up,
        "mode": _word(pb.CarrierMode, report.mode),
        "breaker": _word(pb.BreakerState, report.breaker),
        "window": report.window,
        "inUse": report.in_use,
        "binds": [
            {
                "number": bind.number,
                "state": _word(pb.BindState, bind.state),
                "window": bind.window,
                "inUse": bind.in_use,
                "lastError": bind.last_error if bind.HasField("last_error") else None,
            }
            for bind in report.binds
        ],
        "lastMinute": {
            "accepted": report.accepted,
            "refused": report.refused,
            "notTaken": report.not_taken,
            "unknown": report.unknown,
        },
        "codes": {count.code: count.messages for count in report.codes},
        "sandbox": report.is_sandbox,
        "remark": report.remark if report.HasField("remark") else None,
        "balanceKes": kes(report.balance_micros) if report.HasField("balance_micros") else None,
    }


def _cells(report: pb.CarrierReport) -> list[str]:
    state = "[green]up[/]" if report.is_up else "[red]down[/]"
    if report.mode != pb.CARRIER_MODE_RUNNING:
        state = f"[yellow]{_word(pb.CarrierMode, report.mode)}[/]"
    elif report.breaker != pb.BREAKER_STATE_CLOSED:
        state = f"[yellow]breaker {_word(pb.BreakerState, report.breaker)}[/]"
    up = sum(bind.state == pb.BIND_STATE_UP for bind in report.binds)
    outcomes = report.accepted + report.refused + report.not_taken + report.unknown
    return [
        escape(report.name),
        escape(report.replica),
        state,
        f"{up} of {len(report.binds)}",
        f"{report.in_use} of {report.window}",
        f"{outcomes / 60:.1f}/s, {report.accepted} of {outcomes} taken",
    ]


def _lines(report: pb.CarrierReport) -> list[str]:
    """Errors and remarks, which do not fit into a table."""
    failing = [
        f"bind {bind.number} is {_word(pb.BindState, bind.state)}, last: {bind.last_error}"
        for bind in report.binds
        if bind.state != pb.BIND_STATE_UP and bind.HasField("last_error")
    ]
    errors = [f"{count.messages} × {count.code} in the last minute" for count in report.codes]
    if report.is_sandbox:
        errors.insert(0, "a sandbox, which reaches no phones")
    return errors + failing + ([report.remark] if report.HasField("remark") else [])


def _set(carrier: str, mode: pb.CarrierMode.ValueType, reason: str, by: str | None) -> None:
    request = pb.SetCarrierModeRequest(
        carrier=carrier, mode=mode, reason=reason, changed_by=getpass.getuser() if by is None else by
    )
    answer: pb.SetCarrierModeResponse = ask_messaging(CarrierServiceStub, lambda stub: stub.SetCarrierMode(request))
    control = answer.control
    out.print(
        f"{escape(control.carrier)} is wanted {_word(pb.CarrierMode, control.mode)}; "
        "every replica follows within two seconds"
    )


def _word(enum: Enum[int], value: int) -> str:
    return enum_word(enum, value).replace("_", " ")
