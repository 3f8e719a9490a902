"""`tukupay-sms reports`: what messages cost, summed up and one by one."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from service_kit.grpc.timestamps import to_datetime
from service_kit.settings import Address
from sms_cli.reports.conversion_command import conversion
from sms_cli.reports.cost_figures import (
    GROUPINGS,
    MESSAGE_COLUMNS,
    MESSAGE_MONEY,
    MONEY,
    SUMS,
    cost_groups,
    exported_messages,
    group_row,
    message_row,
    sums_row,
)
from sms_cli.reports.reconcile_command import reconcile
from sms_cli.shared.local_settings import client_settings
from sms_cli.shared.options import AsJson, Bom, Raw, csv_style, parsed
from sms_cli.shared.periods import End, Month, Start, period_of
from sms_cli.shared.report_files import RowFile, file_format, progress, replaced, whole_output
from sms_cli.shared.terminal import cell, err, out, print_table
from tukupay.sms.messaging.v1 import reports_pb2 as pb

reports = typer.Typer(help="What messages cost: by groups, one by one, and against invoices.", no_args_is_help=True)
reports.command("reconcile")(reconcile)
reports.command("conversion")(conversion)

GROUPS_SHOWN = 200
TOTAL = "TOTAL"
"""The first cell of the line of totals."""

OnlyUser = Annotated[str | None, typer.Option(help="Only this account.")]
Output = Annotated[
    Path | None, typer.Option(metavar="FILE.csv|json", help="The file to write; the terminal if absent.")
]


@reports.command("costs")
def costs(  # noqa: PLR0917 - typer calls it by keyword
    by: Annotated[list[str], typer.Option(help=f"One of {', '.join(GROUPINGS)}; may be repeated.")],
    start: Start = None,
    end: End = None,
    month: Month = None,
    user: OnlyUser = None,
    output: Output = None,
    *,
    booked: Annotated[
        bool,
        typer.Option("--booked", help="Instead, what was charged and refunded in the period, as statements have it."),
    ] = False,
    raw: Raw = False,
    bom: Bom = False,
    as_json: AsJson = False,
) -> None:
    """Sum up the messages that were created in a period, and what the ledger says of them."""
    for name in by:
        if name not in GROUPINGS:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(GROUPINGS)}", param_hint="--by")
    period = period_of(start, end, month)
    messaging = client_settings().messaging
    if output is not None:
        kind = parsed(lambda name: file_format(Path(name)), "--output", str(output))
        with replaced(output) as file:
            style = csv_style(raw=raw, bom=bom)
            rows = RowFile(file, [*by, *SUMS], as_json=kind == ".json", numbers=MONEY, style=style)
            totals = asyncio.run(_write_groups(messaging, *period, by, user, rows, booked=booked))
        out.print(f"{rows.rows:,} {'row' if rows.rows == 1 else 'rows'} in {output}", markup=False)
        _show_totals(by, totals)
    elif as_json:
        with whole_output() as file:
            rows = RowFile(file, [*by, *SUMS], as_json=True)
            asyncio.run(_write_groups(messaging, *period, by, user, rows, booked=booked))
    else:
        asyncio.run(_show_groups(messaging, *period, by, user, booked=booked))


async def _write_groups(  # noqa: PLR0917 - one road from the call to the file
    messaging: Address, start: datetime, end: datetime, by: list[str], user: str | None, rows: RowFile, *, booked: bool
) -> pb.CostSums:
    totals = pb.CostSums()
    with progress("sums up") as advance:
        async with aclosing(cost_groups(messaging, start, end, by, user, booked=booked)) as answers:
            async for answer in answers:
                rows.write(group_row(by, group) for group in answer.groups)
                advance(rows.rows, None)
                totals = answer.totals
    if "tag" in by:
        # A message counts in the row of each of its tags, so the rows do not add up to them.
        rows.totals({**dict.fromkeys(by), by[0]: TOTAL, **sums_row(totals)})
    rows.end()
    return totals


async def _show_groups(
    messaging: Address, start: datetime, end: datetime, by: list[str], user: str | None, *, booked: bool
) -> None:
    table = Table(*by, *SUMS)
    for column in table.columns[len(by) :]:
        column.justify = "right"
    count, totals = 0, pb.CostSums()
    with progress("sums up") as advance:
        async with aclosing(cost_groups(messaging, start, end, by, user, booked=booked)) as answers:
            async for answer in answers:
                for group in answer.groups[: max(0, GROUPS_SHOWN - count)]:
                    row = group_row(by, group)
                    keys = ("(none)" if row[name] is None else cell(row[name]) for name in by)
                    table.add_row(*keys, *(cell(row[name]) for name in SUMS))
                count += len(answer.groups)
                advance(count, None)
                totals = answer.totals
    print_table(table)
    if count > GROUPS_SHOWN:
        out.print(f"and {count - GROUPS_SHOWN:,} rows more; --output writes all of them")
    _show_totals(by, totals)


def _show_totals(by: list[str], totals: pb.CostSums) -> None:
    row = sums_row(totals)
    out.print(
        f"in all: {totals.messages:,} messages, {totals.units:,} units, KES {row['charged']} charged, "
        f"{row['refunded']} refunded, {row['held']} held"
    )
    if "tag" in by:
        out.print("A message counts in the row of each of its tags, and once in all.")


@reports.command("messages")
def messages(
    start: Start = None,
    end: End = None,
    month: Month = None,
    user: OnlyUser = None,
    output: Output = None,
    *,
    full: Annotated[bool, typer.Option("--full", help="Write whole phone numbers.")] = False,
    raw: Raw = False,
    bom: Bom = False,
    as_json: AsJson = False,
) -> None:
    """Write every message of a period with its price, charge and carrier's cost, without texts; CSV by default."""
    period = period_of(start, end, month)
    messaging, style = client_settings().messaging, csv_style(raw=raw, bom=bom)
    if output is None:
        with whole_output() if as_json else nullcontext(sys.stdout) as file:
            rows = RowFile(file, MESSAGE_COLUMNS, as_json=as_json, numbers=MESSAGE_MONEY, style=style)
            asyncio.run(_write_messages(messaging, *period, user, rows, full=full))
        return
    kind = parsed(lambda name: file_format(Path(name)), "--output", str(output))
    with replaced(output) as file:
        rows = RowFile(file, MESSAGE_COLUMNS, as_json=kind == ".json", numbers=MESSAGE_MONEY, style=style)
        asyncio.run(_write_messages(messaging, *period, user, rows, full=full))
    (err if as_json else out).print(
        f"{rows.rows:,} {'message' if rows.rows == 1 else 'messages'} in {output}", markup=False
    )


async def _write_messages(
    messaging: Address, start: datetime, end: datetime, user: str | None, rows: RowFile, *, full: bool
) -> None:
    length = (end - start).total_seconds()
    with progress("exports", length) as advance:
        async with aclosing(exported_messages(messaging, start, end, user)) as pages:
            async for page, reached in pages:
                rows.write(message_row(message, full=full) for message in page)
                moment = to_datetime(page[-1].created_time).astimezone(start.tzinfo) if page else reached
                advance(rows.rows, (moment - start).total_seconds())
    rows.end()
