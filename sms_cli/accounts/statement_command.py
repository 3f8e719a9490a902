"""`tukupay-sms accounts statement`: a period of an account, on the terminal or in a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from service_kit.grpc.timestamps import to_timestamp
from sms_cli.accounts.billing_records import entry_record
from sms_cli.shared.enum_words import enum_word
from sms_cli.shared.kes_amounts import kes
from sms_cli.shared.local_settings import client_settings
from sms_cli.shared.options import AsJson, Bom, Raw, csv_style, parsed
from sms_cli.shared.periods import End, Month, Period, Start, period_of
from sms_cli.shared.report_files import RowFile, file_format, progress, replaced
from sms_cli.shared.service_calls import messaging_stub
from sms_cli.shared.terminal import cell, err, out, print_json, print_table
from tukupay.sms.messaging.v1 import accounts_pb2 as pb
from tukupay.sms.messaging.v1.accounts_pb2_grpc import AccountServiceStub

COLUMNS = ("entryId", "bookedAt", "kind", "amount", "balance", "outboxId", "attempt", "reference", "reason", "bookedBy")
SHOWN = 1_000
_PAGE = 1_000


def statement(
    user: Annotated[str, typer.Argument(metavar="USER_ID", help="The account, as in userId.")],
    start: Start = None,
    end: End = None,
    month: Month = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv|json", help="Write every entry to this file, with the balance after it."),
    ] = None,
    *,
    raw: Raw = False,
    bom: Bom = False,
    as_json: AsJson = False,
) -> None:
    """Show a period of an account: opening and closing balance, totals, and every entry."""
    period = period_of(start, end, month)
    if output is not None:
        kind = parsed(lambda name: file_format(Path(name)), "--output", str(output))
        style = csv_style(raw=raw, bom=bom)
        with replaced(output) as file:
            rows = RowFile(file, COLUMNS, as_json=kind == ".json", numbers=("amount", "balance"), style=style)
            totals = asyncio.run(_write(user, period, rows))
        (err if as_json else out).print(
            f"{rows.rows:,} {'entry' if rows.rows == 1 else 'entries'} in {output}", markup=False
        )
        if as_json:
            print_json(_figures(user, totals))
        else:
            _show_totals(totals)
    elif as_json:
        totals, entries = asyncio.run(_all(user, period))
        print_json(_figures(user, totals) | {"entries": [entry_record(entry) for entry in entries]})
    else:
        asyncio.run(_show(user, period))


async def _totals(user: str, period: Period) -> pb.GetStatementResponse:
    async with messaging_stub(client_settings().messaging, AccountServiceStub) as stub:
        request = pb.GetStatementRequest(
            user_id=user, period_start=to_timestamp(period[0]), period_end=to_timestamp(period[1])
        )
        return await stub.GetStatement(request)


async def _pages(
    user: str, period: Period, totals: pb.GetStatementResponse
) -> AsyncGenerator[Sequence[pb.LedgerEntry], None]:
    """The entries that the statement counts, without those booked since."""
    request = pb.ListLedgerEntriesRequest(
        user_id=user,
        period_start=to_timestamp(period[0]),
        period_end=to_timestamp(period[1]),
        page_size=_PAGE,
        through_entry_id=totals.through_entry_id if totals.HasField("through_entry_id") else None,
    )
    async with messaging_stub(client_settings().messaging, AccountServiceStub) as stub:
        while True:
            page = await stub.ListLedgerEntries(request)
            yield page.entries
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


async def _all(user: str, period: Period) -> tuple[pb.GetStatementResponse, list[pb.LedgerEntry]]:
    totals = await _totals(user, period)
    async with aclosing(_pages(user, period, totals)) as pages:
        return totals, [entry async for page in pages for entry in page]


async def _write(user: str, period: Period, rows: RowFile) -> pb.GetStatementResponse:
    totals = await _totals(user, period)
    balance, expected = totals.opening_micros, sum(total.entries for total in totals.totals)
    with progress("writes", expected) as advance:
        async with aclosing(_pages(user, period, totals)) as pages:
            async for page in pages:
                for entry in page:
                    balance += entry.amount_micros
                    rows.write([entry_record(entry) | {"balance": kes(balance)}])
                advance(rows.rows, rows.rows)
    rows.end()
    return totals


async def _show(user: str, period: Period) -> None:
    totals = await _totals(user, period)
    table, shown = Table("booked at", "kind", "amount", "message, reference or reason", "by"), 0
    table.columns[2].justify = "right"
    async with aclosing(_pages(user, period, totals)) as pages:
        async for page in pages:
            for entry in page[: SHOWN - shown]:
                record = entry_record(entry)
                what = record["outboxId"] or record["reference"] or record["reason"]
                row = (record["bookedAt"], record["kind"], record["amount"], what, record["bookedBy"] or "")
                table.add_row(*(cell(value) for value in row))
            shown += len(page)
            if shown >= SHOWN:
                break
    out.print(f"opening balance KES {kes(totals.opening_micros)}")
    print_table(table, wraps={"message, reference or reason"})
    entries = sum(total.entries for total in totals.totals)
    if entries > SHOWN:
        out.print(f"and {entries - SHOWN:,} entries more; --output writes all of them")
    _show_totals(totals)


def _show_totals(totals: pb.GetStatementResponse) -> None:
    for total in totals.totals:
        out.print(f"{_kind(total)}: {total.entries:,} for KES {kes(total.amount_micros)}")
    out.print(f"closing balance KES {kes(totals.closing_micros)}")


def _figures(user: str, totals: pb.GetStatementResponse) -> dict[str, object]:
    return {
        "userId": user,
        "currency": "KES",
        "openingBalance": kes(totals.opening_micros),
        "closingBalance": kes(totals.closing_micros),
        "totals": [
            {"kind": _kind(total), "entries": total.entries, "amount": kes(total.amount_micros)}
            for total in totals.totals
        ],
    }


def _kind(total: pb.LedgerTotal) -> str:
    return enum_word(pb.LedgerEntryKind, total.kind)
