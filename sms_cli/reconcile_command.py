"""`tukupay-sms reports reconcile`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack, aclosing
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from service_kit.settings import Address
from sms_cli.cost_report_commands import PeriodEnd, PeriodStart
from sms_cli.failures import CommandError
from sms_cli.instants import parse_instant
from sms_cli.invoice_files import (
    EXCEPTION_COLUMNS,
    EXCEPTION_MONEY,
    exception_row,
    read_invoice,
    reconciled,
    totals_record,
)
from sms_cli.options import parsed
from sms_cli.report_files import RowFile, file_format, progress, replaced
from sms_cli.settings import client_settings
from sms_cli.terminal import cell, err, out, print_record
from tukupay.sms.messaging.v1 import reports_pb2 as pb

EXCEPTIONS_SHOWN = 50
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


def reconcile(
    carrier: Annotated[str, typer.Option(help="The carrier that sent it, as it is named here.")],
    invoice: Annotated[
        Path, typer.Option(metavar="FILE.csv", help="carrierMessageId or day, and messages, parts, cost, status.")
    ],
    start: PeriodStart,
    end: PeriodEnd,
    output: Annotated[Path | None, typer.Option(metavar="FILE.csv|json", help="Where to write all exceptions.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the exceptions as JSON, for programs.")] = False,
) -> None:
    """Compare a carrier's invoice with what it reported and what we charged; exits with 1 when they do not agree."""
    period = parsed(parse_instant, "--from", start), parsed(parse_instant, "--to", end)
    kind = None if output is None else parsed(lambda name: file_format(Path(name)), "--output", str(output))
    messaging = client_settings().messaging
    with ExitStack() as stack:
        rows = None
        if output is not None:
            file = stack.enter_context(replaced(output))
            rows = RowFile(file, EXCEPTION_COLUMNS, as_json=kind == ".json", numbers=EXCEPTION_MONEY)
        elif as_json:
            rows = RowFile(sys.stdout, EXCEPTION_COLUMNS, as_json=True)
        totals, table = asyncio.run(_reconcile(messaging, carrier, invoice, period, rows))
    if table.row_count and not as_json:
        out.print(table)
    record = totals_record(totals)
    count = sum(each.exceptions for each in totals.exceptions)
    if as_json:
        err.print(f"{count:,} exceptions", markup=False)
    else:
        if output is None and count > table.row_count:
            out.print(f"and {count - table.row_count:,} exceptions more; --output writes all of them")
        print_record(record)
        if output is not None:
            out.print(f"{count:,} {'exception' if count == 1 else 'exceptions'} in {output}", markup=False)
    if count:
        raise typer.Exit(1)


async def _reconcile(
    messaging: Address, carrier: str, invoice: Path, period: tuple[datetime, datetime], rows: RowFile | None
) -> tuple[pb.InvoiceTotals, Table]:
    """The totals, and a table of the first exceptions when nobody else takes them."""
    table, totals = Table(*_SHOWN), pb.InvoiceTotals()
    try:
        with invoice.open(encoding="utf-8-sig", newline="") as file, progress("reads the invoice") as advance:
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
