"""`tukupay-sms accounts list`: all accounts with their balances, on the terminal or in a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from sms_cli.accounts.account_words import MODES, STANDINGS, Mode, Standing
from sms_cli.accounts.billing_records import terms_record
from sms_cli.shared.kes_amounts import kes
from sms_cli.shared.local_settings import client_settings
from sms_cli.shared.options import AsJson, Bom, Raw, csv_style, parsed
from sms_cli.shared.report_files import RowFile, file_format, progress, replaced
from sms_cli.shared.service_calls import messaging_stub
from sms_cli.shared.terminal import cell, err, out, print_json, print_table
from tukupay.sms.messaging.v1 import accounts_pb2 as pb
from tukupay.sms.messaging.v1.accounts_pb2_grpc import AccountServiceStub

MONEY = ("balance", "held", "creditLimit", "available", "dailySpend", "spentToday")
COLUMNS = (
    "userId", "mode", "status", "currency", *MONEY, "messagesPerMinute", "sentThisMinute", "messagesPerRecipientHour"
)  # fmt: skip
SHOWN_COLUMNS = ("userId", "mode", "status", "balance", "held", "creditLimit", "available")
SHOWN = 200
_PAGE = 1_000


@dataclass(slots=True)
class _Sums:
    """The totals of the accounts listed, in micros."""

    accounts: int = 0
    paid_ahead: int = 0
    owed: int = 0
    held: int = 0

    def add(self, page: Sequence[pb.Account]) -> None:
        """Adds a page of accounts."""
        self.accounts += len(page)
        for terms in page:
            self.paid_ahead += max(0, terms.posted_micros)
            self.owed += max(0, -terms.posted_micros)
            self.held += terms.held_micros

    def __str__(self) -> str:
        accounts = f"{self.accounts:,} {'account' if self.accounts == 1 else 'accounts'}"
        return f"{accounts}: KES {kes(self.paid_ahead)} paid ahead, {kes(self.owed)} owed, {kes(self.held)} held"


def list_accounts(
    mode: Annotated[Mode | None, typer.Option(help="Only accounts that pay this way.")] = None,
    status: Annotated[Standing | None, typer.Option(help="Only accounts with this status.")] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE.csv|json", help="Write all of them to this file.")
    ] = None,
    *,
    raw: Raw = False,
    bom: Bom = False,
    as_json: AsJson = False,
) -> None:
    """List accounts with their balances and limits, and what they come to."""
    request = pb.ListAccountsRequest(page_size=_PAGE)
    if mode is not None:
        request.mode = MODES[mode]
    if status is not None:
        request.status = STANDINGS[status]
    if output is not None:
        kind = parsed(lambda name: file_format(Path(name)), "--output", str(output))
        style = csv_style(raw=raw, bom=bom)
        with replaced(output) as file:
            sums = asyncio.run(
                _write(request, RowFile(file, COLUMNS, as_json=kind == ".json", numbers=MONEY, style=style))
            )
        (err if as_json else out).print(f"{sums}, in {output}", markup=False)
    elif as_json:
        print_json([terms_record(terms) for terms in asyncio.run(_all(request))])
    else:
        asyncio.run(_show(request))


async def _pages(request: pb.ListAccountsRequest) -> AsyncGenerator[Sequence[pb.Account], None]:
    async with messaging_stub(client_settings().messaging, AccountServiceStub) as stub:
        while True:
            page = await stub.ListAccounts(request)
            yield page.accounts
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


async def _all(request: pb.ListAccountsRequest) -> list[pb.Account]:
    async with aclosing(_pages(request)) as pages:
        return [terms async for page in pages for terms in page]


async def _write(request: pb.ListAccountsRequest, rows: RowFile) -> _Sums:
    sums = _Sums()
    with progress("writes") as advance:
        async with aclosing(_pages(request)) as pages:
            async for page in pages:
                sums.add(page)
                rows.write(terms_record(terms) for terms in page)
                advance(rows.rows, None)
    rows.end()
    return sums


async def _show(request: pb.ListAccountsRequest) -> None:
    table, sums = Table(*SHOWN_COLUMNS), _Sums()
    for column in table.columns[3:]:
        column.justify = "right"
    async with aclosing(_pages(request)) as pages:
        async for page in pages:
            for terms in page[: max(0, SHOWN - sums.accounts)]:
                record = terms_record(terms)
                table.add_row(*("" if record[name] is None else cell(record[name]) for name in SHOWN_COLUMNS))
            sums.add(page)
    print_table(table)
    if sums.accounts > SHOWN:
        out.print(f"and {sums.accounts - SHOWN:,} more; --output writes all of them")
    out.print(str(sums), markup=False)
