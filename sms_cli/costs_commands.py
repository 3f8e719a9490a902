"""The commands of `tukupay-sms costs`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.table import Table

from sms_cli.cost_levels import LEVEL_NAMES, parse_level
from sms_cli.costs import cost_history, cost_record, current_cost, record_cost
from sms_cli.money import parse_kes
from sms_cli.options import instant_option, parsed
from sms_cli.settings import client_settings
from sms_cli.terminal import cell, out, print_json, print_record

costs = typer.Typer(help="Record and show prices.", no_args_is_help=True)

Level = Annotated[str, typer.Argument(help=f"{', '.join(LEVEL_NAMES.values())}.")]
Customer = Annotated[str | None, typer.Option(help="The customer, for SpecificCustomer.")]
App = Annotated[str | None, typer.Option(help="The app, for AppOwner.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@costs.command("set")
def set_cost(  # noqa: PLR0917 - typer calls it by keyword
    level: Level,
    price: Annotated[str, typer.Argument(help="KES for one SMS unit, for instance 0.6.")],
    customer: Customer = None,
    app: App = None,
    reason: Annotated[str | None, typer.Option(help="Why; needed for TukuPay and SpecificCustomer.")] = None,
    effective_from: Annotated[
        str | None, typer.Option("--from", help="Since when, for instance 2026-01-31T08:00:00Z; now if absent.")
    ] = None,
    author: Annotated[str | None, typer.Option("--by", help="Who sets it; your user name if absent.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Record a price. Earlier ones stay in the history."""
    cost = asyncio.run(
        record_cost(
            client_settings().pricing,
            parsed(parse_level, "LEVEL", level),
            parsed(parse_kes, "PRICE", price),
            customer=customer,
            app=app,
            reason=reason,
            effective_from=instant_option("--from", effective_from),
            author=author,
        )
    )
    _show(cost_record(cost), as_json=as_json)


@costs.command("current")
def show_current(level: Level, customer: Customer = None, app: App = None, *, as_json: AsJson = False) -> None:
    """Show the price that applies now at a level, fallbacks included."""
    cost = asyncio.run(
        current_cost(client_settings().pricing, parsed(parse_level, "LEVEL", level), customer=customer, app=app)
    )
    _show(cost_record(cost), as_json=as_json)


@costs.command("history")
def show_history(level: Level, customer: Customer = None, app: App = None, *, as_json: AsJson = False) -> None:
    """Show every price recorded for a level, oldest first."""
    rows = asyncio.run(
        cost_history(client_settings().pricing, parsed(parse_level, "LEVEL", level), customer=customer, app=app)
    )
    records = [cost_record(row) for row in rows]
    if as_json:
        print_json(records)
        return
    if not records:
        out.print("No price is recorded there; `tukupay-sms costs set` records one.", markup=False)
        return
    columns = ("effectiveFrom", "revision", "level", "customerId", "appId", "price", "createdBy", "reason")
    table = Table(*columns)
    for record in records:
        table.add_row(*(cell(record[column]) for column in columns))
    out.print(table)


def _show(record: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json(record)
    else:
        print_record(record)
