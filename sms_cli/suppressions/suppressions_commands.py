"""`tukupay-sms suppressions`: lists, adds, ends, imports and exports opt-outs."""

from __future__ import annotations

import asyncio
import getpass
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from service_kit.csv_files.csv_writer import CsvStyle
from service_kit.settings import Address
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import client_settings
from sms_cli.shared.options import AsJson, Bom, Raw, RawFile, csv_style
from sms_cli.shared.report_files import replaced
from sms_cli.shared.terminal import cell, err, out, print_json, print_table
from sms_cli.shared.terminal_instants import shown
from sms_cli.suppressions.suppression_calls import (
    SOURCES,
    FileRow,
    entry_record,
    entry_writer,
    read_rows,
    source_word,
    suppression_list,
)
from tukupay.sms.messaging.v1 import suppressions_pb2 as pb

suppressions = typer.Typer(help="Opt-outs: list, add, remove, import, export.", no_args_is_help=True)

EVERYTHING = sys.maxsize

Phone = Annotated[str, typer.Argument(help="The recipient, with + and country code.")]
Sender = Annotated[str | None, typer.Option(help="Only this sender id; every one if absent.")]
User = Annotated[str | None, typer.Option(help="Only this account; every one if absent.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
By = Annotated[str | None, typer.Option(help="Who asks for it, for the record; your user name if absent.")]
Full = Annotated[bool, typer.Option("--full", help="Show whole phone numbers.")]


@suppressions.command("list")
def list_entries(
    phone: Annotated[str | None, typer.Option(help="Only entries for this recipient.")] = None,
    sender: Annotated[str | None, typer.Option(help="Only entries for this sender id.")] = None,
    user: Annotated[str | None, typer.Option(help="Only entries for this account.")] = None,
    source: Annotated[str | None, typer.Option(help=f"Only entries of {', '.join(SOURCES)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of rows.")] = 50,
    *,
    ended: Annotated[bool, typer.Option("--ended", help="Also ended entries.")] = False,
    full: Full = False,
    as_json: AsJson = False,
) -> None:
    """Show entries, newest first. Phone numbers are shown in part."""
    if source is not None and source not in SOURCES:
        raise typer.BadParameter(f"{source!r} is none of {', '.join(SOURCES)}", param_hint="--source")
    wanted = pb.ListSuppressionsRequest(
        phone_number=phone,
        sender_id=sender,
        user_id=user,
        source=SOURCES[source] if source else pb.SUPPRESSION_SOURCE_UNSPECIFIED,
        include_ended=ended,
    )
    _show(asyncio.run(_listed(client_settings().messaging, wanted, limit)), full=full, as_json=as_json)


@suppressions.command()
def add(
    phone: Phone, reason: Reason, sender: Sender = None, user: User = None, by: By = None, *, full: Full = False
) -> None:
    """Refuse messages to a recipient from now on, and cancel queued ones. Repeating it is harmless."""
    answer = asyncio.run(_add(client_settings().messaging, FileRow(0, phone, sender, user, None), reason, by))
    _show([answer.suppression], full=full, as_json=False)
    held = "" if answer.created else "The entry held already. "
    out.print(f"{held}{_messages(answer.cancelled_messages)} waited and were cancelled.", markup=False)


@suppressions.command()
def remove(
    phone: Annotated[str, typer.Argument(help="The recipient, or the id of one entry.", metavar="PHONE|ID")],
    reason: Reason,
    sender: Annotated[str | None, typer.Option(help="Only the entries for this sender id.")] = None,
    user: Annotated[str | None, typer.Option(help="Only the entries for this account.")] = None,
    by: By = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="End all of them when there are several.")] = False,
    full: Full = False,
) -> None:
    """End entries, so that the recipient gets messages again. The entries are kept, with who ended them and why."""
    wanted = pb.ListSuppressionsRequest(phone_number=phone, sender_id=sender, user_id=user)
    ended = asyncio.run(_remove(client_settings().messaging, wanted, reason, by or getpass.getuser(), every=every))
    if not ended:
        out.print("There was nothing to end: no such entry holds.", markup=False)
        return
    _show(ended, full=full, as_json=False)


@suppressions.command("import")
def import_file(
    path: Annotated[Path, typer.Argument(metavar="FILE.csv", help="phoneNumber[,senderId][,userId][,reason]")],
    reason: Annotated[str, typer.Option(help="Why, for lines that do not say.")] = "imported",
    by: By = None,
    *,
    raw: RawFile = False,
) -> None:
    """Add an entry for each line of a file. Faulty lines are named, the others are added; repeating is harmless."""
    rows = read_rows(path, guarded=not raw)
    asyncio.run(_import(client_settings().messaging, rows, reason, by or getpass.getuser()))


@suppressions.command("export")
def export_file(
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE.csv]", help="The file to write; the terminal if absent.")
    ] = None,
    *,
    full: Full = False,
    raw: Raw = False,
    bom: Bom = False,
) -> None:
    """Write every entry that holds, with whole phone numbers, as `import` reads it. Only you can read the file."""
    messaging, style = client_settings().messaging, csv_style(raw=raw, bom=bom)
    if path is None:
        if not full:
            raise CommandError(
                "an export shows whole phone numbers", "name a file to write to, or say --full to print them here"
            )
        asyncio.run(_export(messaging, sys.stdout, style))
        return
    with replaced(path, private=True) as file:
        count = asyncio.run(_export(messaging, file, style))
    out.print(f"{count:,} {'entry' if count == 1 else 'entries'} in {path}", markup=False)


async def _listed(messaging: Address, wanted: pb.ListSuppressionsRequest, limit: int) -> list[pb.Suppression]:
    async with suppression_list(messaging) as entries, aclosing(entries.pages(wanted, limit)) as pages:
        return [entry async for page in pages for entry in page]


async def _add(messaging: Address, row: FileRow, reason: str, by: str | None) -> pb.AddSuppressionResponse:
    async with suppression_list(messaging) as entries:
        return await entries.add(row, reason, by or getpass.getuser())


async def _remove(
    messaging: Address, wanted: pb.ListSuppressionsRequest, reason: str, by: str, *, every: bool
) -> list[pb.Suppression]:
    async with suppression_list(messaging) as entries:
        if wanted.phone_number.startswith("suppression_"):
            return [await entries.end(wanted.phone_number, reason, by)]
        async with aclosing(entries.pages(wanted, EVERYTHING)) as pages:
            found = [entry async for page in pages for entry in page]
        if len(found) > 1 and not every:
            ids = "\n  ".join(f"{entry.suppression_id} ({_scope(entry)})" for entry in found)
            raise CommandError(
                f"{len(found)} entries hold for the recipient:\n  {ids}",
                "give the id of one of them, narrow it with --sender and --user, or say --all",
            )
        return [await entries.end(entry.suppression_id, reason, by) for entry in found]


async def _import(messaging: Address, rows: list[FileRow], reason: str, by: str) -> None:
    columns = (TextColumn("adds"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("adds", total=len(rows))
        async with suppression_list(messaging) as entries:
            done = await entries.add_all(rows, reason, by, lambda count: bar.update(task, completed=count))
    out.print(
        f"{done.created:,} new, {done.known:,} held already; {_messages(done.cancelled)} waited and were cancelled.",
        markup=False,
    )
    if done.problems:
        lines = "\n  ".join(done.problems)
        raise CommandError(
            f"{len(done.problems)} {'line was' if len(done.problems) == 1 else 'lines were'} refused:\n  {lines}",
            "correct them and import the file again; what is on the list already stays as it is",
        )


async def _export(messaging: Address, file: TextIO, style: CsvStyle) -> int:
    write = entry_writer(file, style)
    count = 0
    async with (
        suppression_list(messaging) as entries,
        aclosing(entries.pages(pb.ListSuppressionsRequest(), EVERYTHING)) as pages,
    ):
        async for page in pages:
            write(page)
            count += len(page)
    return count


def _show(entries: list[pb.Suppression], *, full: bool, as_json: bool) -> None:
    records = [entry_record(entry, full=full) for entry in entries]
    if as_json:
        print_json(records)
        return
    if not entries:
        out.print("Nobody is on the list.", markup=False)
        return
    ends = any(entry.HasField("ending") for entry in entries)
    table = Table("phone", "sender", "account", "source", "reason", "by", "since", *(["ended"] if ends else []))
    for entry, record in zip(entries, records, strict=True):
        cells = [
            record["phoneNumber"],
            record["senderId"] or "every",
            record["userId"] or "every",
            record["source"],
            entry.reason,
            entry.created_by,
            shown(entry.created_time),
        ]
        table.add_row(*map(cell, cells), *([cell(_ending(entry))] if ends else []))
    print_table(table, wraps={"reason"})


def _ending(entry: pb.Suppression) -> str | None:
    if not entry.HasField("ending"):
        return None
    return f"{shown(entry.ending.ended_time)} by {entry.ending.ended_by}: {entry.ending.reason}"


def _scope(entry: pb.Suppression) -> str:
    sender = f"sender {entry.sender_id}" if entry.HasField("sender_id") else "every sender"
    account = f"account {entry.user_id}" if entry.HasField("user_id") else "every account"
    return f"{sender}, {account}, {source_word(entry.source)}"


def _messages(count: int) -> str:
    return f"{count:,} {'message' if count == 1 else 'messages'}"
