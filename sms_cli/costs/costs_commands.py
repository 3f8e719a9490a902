"""The commands of `tukupay-sms costs`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from service_kit.grpc.timestamps import to_datetime
from sms_cli.costs.price_calls import (
    cost_history,
    cost_record,
    current_cost,
    explained_price,
    explanation_record,
    record_cost,
    tier_of,
    withdraw_cost,
)
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.enum_words import enum_word
from sms_cli.shared.kes_amounts import kes, parse_kes
from sms_cli.shared.level_names import LEVEL_NAMES, parse_level
from sms_cli.shared.local_settings import client_settings
from sms_cli.shared.options import AsJson, instant_option, parsed
from sms_cli.shared.terminal import cell, is_wide, out, print_json, print_record, print_table
from sms_cli.shared.terminal_instants import exact, shown
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

costs = typer.Typer(help="Record and show prices.", no_args_is_help=True)

Level = Annotated[str, typer.Argument(help=f"{', '.join(LEVEL_NAMES.values())}.")]
Customer = Annotated[str | None, typer.Option(help="The customer, for SpecificCustomer.")]
App = Annotated[str | None, typer.Option(help="The app, for AppOwner.")]
WIDE = 130
"""The columns of a terminal that shows everything."""

AllowFree = Annotated[bool, typer.Option("--allow-free", help="Let a price be 0.")]
OverrideGuards = Annotated[
    bool, typer.Option("--override-guards", help="Record it even if a guard finds it unusual; the row names the guard.")
]


@costs.command("set")
def set_cost(  # noqa: PLR0917 - typer calls it by keyword
    level: Level,
    price: Annotated[str, typer.Argument(help="KES for one SMS unit, for instance 0.6.")],
    customer: Customer = None,
    app: App = None,
    reason: Annotated[str | None, typer.Option(help="Why; needed for TukuPay and SpecificCustomer.")] = None,
    effective_from: Annotated[
        str | None,
        typer.Option(
            "--from", help="First instant at which it applies, for instance 2026-01-31T08:00:00Z; now if absent."
        ),
    ] = None,
    author: Annotated[str | None, typer.Option("--by", help="Who sets it; your user name if absent.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Names this request: repeated with the same key it records nothing twice.")
    ] = None,
    *,
    allow_free: AllowFree = False,
    override_guards: OverrideGuards = False,
    as_json: AsJson = False,
) -> None:
    """Record a price. Earlier ones stay in the history."""
    amount = parsed(parse_kes, "PRICE", price)
    if not amount and not allow_free:
        raise CommandError("PRICE: is 0, so messages would be free", "if this is meant, add --allow-free")
    answer = asyncio.run(
        record_cost(
            client_settings().pricing,
            parsed(parse_level, "LEVEL", level),
            amount,
            customer=customer,
            app=app,
            reason=reason,
            effective_from=instant_option("--from", effective_from),
            author=author,
            allow_free=allow_free,
            override_guards=override_guards,
            idempotency_key=idempotency_key,
        )
    )
    _show(cost_record(answer.cost), as_json=as_json)
    if answer.replayed and not as_json:
        out.print("\nThis request was recorded before; nothing was recorded again.")


@costs.command("withdraw")
def withdraw(
    cost_id: Annotated[str, typer.Argument(help="The row, `cost_` and 32 hexadecimal digits; `costs history` has it.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    author: Annotated[str | None, typer.Option("--by", help="Who withdraws it; your user name if absent.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Withdraw a price that has not taken effect yet. It stays on record, with who withdrew it and why."""
    cost = asyncio.run(withdraw_cost(client_settings().pricing, cost_id, author=author, reason=reason))
    _show(cost_record(cost), as_json=as_json)


@costs.command("explain")
def explain(
    customer: Annotated[str, typer.Option(help="The account that pays.")],
    app: Annotated[str | None, typer.Option(help="The app that the send comes through.")] = None,
    at: Annotated[str | None, typer.Option(help="The instant to price for; now if absent.")] = None,
    known_at: Annotated[
        str | None, typer.Option(help="As it was known at this instant, for instance when an old invoice was made.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what a customer pays, and why: every price that was considered, the strongest first."""
    answer = asyncio.run(
        explained_price(
            client_settings().pricing,
            customer,
            app=app,
            at=instant_option("--at", at),
            known_at=instant_option("--known-at", known_at),
        )
    )
    if as_json:
        print_json(explanation_record(answer))
        return
    until = f"; it may change at {shown(answer.valid_until)}" if answer.HasField("valid_until") else ""
    out.print(f"[bold]{kes(answer.cost.price_micros)} KES[/] for one SMS unit at {shown(answer.resolved_at)}{until}\n")
    wide = is_wide(WIDE)
    _print(_candidates(answer.candidates, wide=wide), wide=wide)


def _print(table: Table, *, wide: bool) -> None:
    if wide:
        print_table(table, wraps={"why", "reason"})
        return
    for column in table.columns:
        column.overflow = "fold"
    out.print(table)


def _candidates(candidates: Iterable[pb.PriceCandidate], *, wide: bool) -> Table:
    """A line for each candidate; on a narrow terminal with the reason below it."""
    if wide:
        table = Table("verdict", "price", "of", "effectiveFrom", "revision", "recordedAt", "why")
    else:
        table = Table.grid("", "", "", padding=(0, 2, 0, 0))
    for column in table.columns[:2]:
        column.no_wrap = True
    for candidate in candidates:
        cost = candidate.cost
        word = enum_word(pb.CandidateVerdict, candidate.verdict).replace("_", " ")
        verdict = f"[green]{word}[/]" if candidate.verdict == pb.CANDIDATE_VERDICT_WON else word
        of = cell(tier_of(cost))
        price, since, why = kes(cost.price_micros), exact(cost.effective_from), cell(candidate.explanation)
        if wide:
            table.add_row(verdict, price, of, since, str(cost.revision), shown(cost.recorded_time), why)
        else:
            table.add_row(verdict, f"[bold]{price}[/]", f"[bold]{of}[/] from {since}\n{why}")
    return table


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
    if as_json:
        print_json([cost_record(row) for row in rows])
        return
    if not rows:
        out.print("No price is recorded there; `tukupay-sms costs set` records one.", markup=False)
        return
    wide = is_wide(WIDE)
    _print(history_table(rows, wide=wide), wide=wide)
    now = datetime.now(UTC)
    for row in rows:
        if to_datetime(row.effective_from) > now and not row.HasField("withdrawal"):
            out.print(f"Until {exact(row.effective_from)}, `costs withdraw {cell(row.cost_id)}` takes that price back.")


def history_table(rows: Sequence[pb.Cost], *, wide: bool) -> Table:
    """A line for each row, with who and why; on a narrow terminal without when it was recorded."""
    if wide:
        table = Table("effectiveFrom", "revision", "of", "price", "createdBy", "recordedAt", "reason")
    else:
        table = Table.grid("", "", "", padding=(0, 2, 0, 0))
    for column in table.columns:
        column.no_wrap = column.header in {"effectiveFrom", "revision", "price", "recordedAt"}
    for row in rows:
        record = cost_record(row)
        since, of, author = str(record["effectiveFrom"]), cell(tier_of(row)), cell(row.created_by)
        price = f"{record['price']} (withdrawn)" if record["withdrawnBy"] is not None else str(record["price"])
        taken = row.withdrawal
        withdrawn = f"\nwithdrawn by {cell(taken.withdrawn_by)}: {cell(taken.reason)}" if taken.withdrawn_by else ""
        if wide:
            why = f"{cell(row.reason)}{withdrawn}".strip()
            table.add_row(since, str(row.revision), of, price, author, shown(row.recorded_time), why)
        else:
            why = f": {cell(row.reason)}" if row.reason else ""
            said = f"[bold]{of}[/], revision {row.revision}\nby {author}{why}{withdrawn}"
            table.add_row(since, f"[bold]{price}[/]", said)
    return table


def _show(record: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json(record)
    else:
        print_record(record)
