"""`tukupay-sms costs rehearse`, `audit` and `copy-audit`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from service_kit.settings import Address
from sms_cli.costs.cost_file_commands import read_file
from sms_cli.costs.cost_files import FileRow
from sms_cli.costs.cost_reports import (
    audit_totals_record,
    audited_copy,
    audited_costs,
    copy_record,
    draft_sentence,
    exception_record,
    rehearsal_record,
    rehearsed_costs,
    total_record,
)
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import client_settings
from sms_cli.shared.options import AsJson
from sms_cli.shared.periods import End, Month, Start, period_of
from sms_cli.shared.report_files import whole_output
from sms_cli.shared.terminal import cell, out, print_json, print_record, print_table
from sms_cli.shared.terminal_instants import to_second
from tukupay.sms.messaging.v1 import reports_pb2 as pb

report_commands = typer.Typer()

CUSTOMERS_SHOWN = 20
DRAFTS_SHOWN = 20
GROUPS_SHOWN = 50
LONGEST_AUDIT = timedelta(days=3_660)
"""The longest period: days are asked for one by one, so a mistyped year would take hours."""


_ALIKE = ("cause", "userId", "recorded", "knownThen", "knownNow")


@dataclass(slots=True)
class _Alike:
    """Exceptions that differ only in their message."""

    outbox_id: str
    """The first of them."""
    first: str
    """When it was created."""
    last: str = ""
    messages: int = 0
    units: int = 0

    def add(self, exception: pb.CostException) -> None:
        """Adds an exception; they come oldest first."""
        self.messages += 1
        self.units += exception.units
        self.last = to_second(exception.created_time)


@report_commands.command("rehearse")
def rehearse(
    drafts: Annotated[Path, typer.Option(metavar="FILE.csv", help="Prices to try, as `costs import` takes them.")],
    start: Start = None,
    end: End = None,
    month: Month = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what a past period would have cost with other prices. Nothing is recorded."""
    _, rows = read_file(drafts, allow_free=True, need_reason=False)
    answer = asyncio.run(
        rehearsed_costs(
            client_settings().messaging,
            rows,
            *period_of(start, end, month),
        )
    )
    if as_json:
        print_json(rehearsal_record(answer, rows))
        return
    total = answer.total
    record = total_record(total)
    out.print(
        f"[bold]{total.messages:,} charged messages, {total.units:,} units:[/] "
        f"{record['old']} KES were charged, {record['new']} KES would have been; difference {record['difference']} KES"
    )
    if answer.unpriced_messages:
        out.print(f"{answer.unpriced_messages:,} more have no price, neither in the book nor in the file.")
    _show_drafts(rows, answer.drafts)
    _show_totals("new level", answer.by_level)
    _show_totals("app", answer.by_app)
    _show_totals("customer", answer.by_customer[:CUSTOMERS_SHOWN])
    if len(answer.by_customer) > CUSTOMERS_SHOWN:
        out.print(f"and {len(answer.by_customer) - CUSTOMERS_SHOWN:,} customers more; --json has up to 1,000")


def _show_drafts(rows: Sequence[FileRow], drafts: Sequence[pb.RehearsedDraft]) -> None:
    """Prints the effect of each price of the file; those without effect come first, because they may be mistakes."""
    each = sorted(zip(rows, drafts, strict=True), key=lambda pair: pair[1].messages > 0)
    for row, draft in each[:DRAFTS_SHOWN]:
        out.print(cell(draft_sentence(row, draft, rows)))
    if len(each) > DRAFTS_SHOWN:
        out.print(f"and {len(each) - DRAFTS_SHOWN:,} lines more; --json has all")


def _show_totals(name: str, totals: Sequence[pb.RehearsedTotal]) -> None:
    if not totals:
        return
    table = Table(name, "messages", "units", "old", "new", "difference")
    for column in table.columns[1:]:
        column.justify = "right"
    for total in totals:
        record = total_record(total)
        key = record.pop("key") or "(none)"
        table.add_row(cell(key), *(cell(value) for value in record.values()))
    print_table(table)


@report_commands.command("audit")
def audit(
    start: Start = None,
    end: End = None,
    month: Month = None,
    user: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Compare the price of every message of a period with the price book; exits with 1 when there are exceptions."""
    period = period_of(start, end, month)
    if period[1] - period[0] > LONGEST_AUDIT:
        problem = f"is more than {LONGEST_AUDIT.days:,} days after --from; audit a shorter period"
        raise typer.BadParameter(problem, param_hint="--to")
    messaging = client_settings().messaging
    totals = asyncio.run((_audit_as_json if as_json else _audit)(messaging, *period, user))
    if totals.exceptions:
        raise typer.Exit(1)


async def _audit(messaging: Address, start: datetime, end: datetime, user: str | None) -> pb.AuditTotals:
    totals, groups = pb.AuditTotals(), dict[tuple[str, ...], _Alike]()
    async with aclosing(audited_costs(messaging, start, end, user)) as answers:
        async for answer in answers:
            totals = answer.totals
            for exception in answer.exceptions:
                record = exception_record(exception)
                key = tuple(str(record[name] or "") for name in _ALIKE)
                groups.setdefault(key, _Alike(exception.outbox_id, to_second(exception.created_time))).add(exception)
    table = Table(*_ALIKE, "messages", "units", "first", "last", "for instance")
    largest = sorted(groups.items(), key=lambda item: -item[1].messages)
    for key, alike in largest[:GROUPS_SHOWN]:
        row = (*key, f"{alike.messages:,}", f"{alike.units:,}", alike.first, alike.last, alike.outbox_id)
        table.add_row(*map(cell, row))
    if table.row_count:
        print_table(table)
    if len(groups) > GROUPS_SHOWN:
        out.print(f"and {len(groups) - GROUPS_SHOWN:,} lines more")
    if totals.exceptions:
        out.print("--json lists every message.")
    print_record(audit_totals_record(totals))
    if totals.approximate_entries:
        out.print(
            f"{totals.approximate_entries:,} messages do not say what was known when they were priced, and are "
            "compared as of their acceptance: a price recorded in that very second may be all that is wrong with them."
        )
    return totals


async def _audit_as_json(messaging: Address, start: datetime, end: datetime, user: str | None) -> pb.AuditTotals:
    """Prints after everything was read, because half a document helps no program. There may be a million exceptions."""
    totals = pb.AuditTotals()
    separator = ""
    with whole_output() as file:
        file.write('{"exceptions": [')
        async with aclosing(audited_costs(messaging, start, end, user)) as answers:
            async for answer in answers:
                totals = answer.totals
                for exception in answer.exceptions:
                    file.write(f"{separator}\n  {json.dumps(exception_record(exception), ensure_ascii=False)}")
                    separator = ","
        file.write(f'],\n "totals": {json.dumps(audit_totals_record(totals))}}}\n')
    return totals


@report_commands.command("copy-audit")
def copy_audit(*, as_json: AsJson = False) -> None:
    """Compare the copy of the price book in messaging with pricing, by checksum; exits with 1 when they differ."""
    answer = asyncio.run(audited_copy(client_settings().messaging))
    record = copy_record(answer)
    if as_json:
        print_json(record)
    else:
        print_record(record | {"differing": ", ".join(answer.differing) or None})
    if answer.copy_checksum != answer.book_checksum:
        raise CommandError(
            f"the copy differs from the price book in {len(answer.differing)} answers or more",
            "restart this messaging process, which then asks anew, and report what differed",
        )
