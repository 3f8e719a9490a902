"""`tukupay-sms reports reconcile`."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, aclosing
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from service_kit.settings import Address, SettingsError
from sms_cli.reports.invoice_files import (
    EXCEPTION_COLUMNS,
    EXCEPTION_MONEY,
    exception_row,
    read_invoice,
    reconciled,
    totals_record,
)
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import client_settings
from sms_cli.shared.options import Bom, Raw, csv_style, parsed
from sms_cli.shared.periods import End, Month, Start, period_of
from sms_cli.shared.report_files import RowFile, file_format, progress, replaced, whole_output
from sms_cli.shared.terminal import cell, err, out, print_record, print_table
from tukupay.sms.messaging.v1 import reports_pb2 as pb

EXCEPTIONS_SHOWN = 50
DISAGREES = 1
TROUBLE = 2
"""The exit code when the file cannot be read or the comparison cannot be made."""
NOT_COMPARED = 3
"""The exit code when there are no exceptions, but not everything was compared."""
_SHOWN = (
    "cause",
    "line",
    "carrierMessageId",
    "outboxId",
    "attempt",
    "day",
    "units",
    "carrierParts",
    "invoiceParts",
    "carrierCost",
    "invoiceCost",
)


def reconcile(  # noqa: PLR0917 - typer calls it by keyword
    carrier: Annotated[str, typer.Option(help="The carrier that sent it, by its configured name.")],
    invoice: Annotated[
        Path, typer.Option(metavar="FILE.csv", help="carrierMessageId or day, and messages, parts, cost, status.")
    ],
    start: Start = None,
    end: End = None,
    month: Month = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE.csv|json", help="File for all exceptions.")] = None,
    *,
    raw: Raw = False,
    bom: Bom = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the exceptions as JSON, for programs.")] = False,
) -> None:
    """Compare a carrier's invoice with what it reported and what we charged.

    Exits with 0 when all of it agrees, 1 when something does not, 2 when it could not be compared, and 3 when nothing
    speaks against it but costs had nothing to be compared with.
    """
    period = period_of(start, end, month)
    kind = None if output is None else parsed(lambda name: file_format(Path(name)), "--output", str(output))
    style = csv_style(raw=raw, bom=bom)
    try:
        messaging = client_settings().messaging
        with ExitStack() as stack:
            rows = None
            if output is not None:
                file = stack.enter_context(replaced(output))
                rows = RowFile(file, EXCEPTION_COLUMNS, as_json=kind == ".json", numbers=EXCEPTION_MONEY, style=style)
            elif as_json:
                rows = RowFile(stack.enter_context(whole_output()), EXCEPTION_COLUMNS, as_json=True)
            totals, table = asyncio.run(_reconcile(messaging, carrier, invoice, period, rows))
    except SettingsError as error:
        raise CommandError(str(error), "correct these variables and try again", TROUBLE) from None
    except CommandError as error:
        error.exit_code = TROUBLE
        raise
    count = sum(each.exceptions for each in totals.exceptions)
    if as_json:
        err.print(f"{count:,} {'exception' if count == 1 else 'exceptions'}", markup=False)
    else:
        _show(totals, table, count, output)
    if totals.cost_not_compared:
        err.print(_not_compared(carrier, totals.cost_not_compared), markup=False)
    if count or totals.cost_not_compared:
        raise typer.Exit(DISAGREES if count else NOT_COMPARED)


def _show(totals: pb.InvoiceTotals, table: Table, count: int, output: Path | None) -> None:
    if table.row_count:
        print_table(table)
    if output is None and count > table.row_count:
        out.print(f"and {count - table.row_count:,} exceptions more; --output writes all of them")
    print_record(totals_record(totals))
    if output is not None:
        out.print(f"{count:,} {'exception' if count == 1 else 'exceptions'} in {output}", markup=False)


def _not_compared(carrier: str, count: int) -> str:
    costs = "1 cost was" if count == 1 else f"{count:,} costs were"
    return (
        f"warning: {costs} compared with nothing, because {carrier} reported none or the invoice names none: check the "
        "prices on the invoice against the contract"
    )


async def _reconcile(
    messaging: Address, carrier: str, invoice: Path, period: tuple[datetime, datetime], rows: RowFile | None
) -> tuple[pb.InvoiceTotals, Table]:
    """Prints the totals, and a table of the first exceptions unless they are written elsewhere."""
    table, totals = Table(*_SHOWN), pb.InvoiceTotals()
    try:
        with invoice.open("rb") as file, progress("reads the invoice") as advance:
            lines = read_invoice(invoice.name, file)
            answers = reconciled(messaging, carrier, period, lines, lambda sent: advance(sent, None))
            async with aclosing(answers):
                async for answer in answers:
                    found = [exception_row(each) for each in answer.exceptions]
                    if rows is not None:
                        rows.write(found)
                    else:
                        for row in found[: EXCEPTIONS_SHOWN - table.row_count]:
                            table.add_row(*(cell(row[column]) for column in _SHOWN))
                    totals = answer.totals
    except OSError as error:
        raise CommandError(f"{invoice} cannot be read: {error.strerror}", "check the name of the file") from None
    if rows is not None:
        rows.end()
    return totals, table
