"""`tukupay-sms costs import` and `export`."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import aclosing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from service_kit.csv_files.csv_writer import CsvStyle
from service_kit.grpc.timestamps import to_timestamp
from service_kit.settings import Address
from sms_cli.costs.cost_files import CostFileError, FileRow, cost_writer, read_costs, some_lines
from sms_cli.costs.cost_import import MAX_ROWS, Change, CostImport, ImportOptions, exported_costs
from sms_cli.costs.costs_commands import AllowFree, OverrideGuards
from sms_cli.costs.lost_ids import lost_ids
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.kes_amounts import kes, micros
from sms_cli.shared.level_names import LEVEL_NAMES, parse_level
from sms_cli.shared.local_settings import LocalSettings, client_settings
from sms_cli.shared.options import AsJson, Bom, Raw, RawFile, csv_style, parsed
from sms_cli.shared.report_files import replaced
from sms_cli.shared.terminal import cell, err, out, print_json, print_table
from sms_cli.shared.terminal_instants import exact
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

file_commands = typer.Typer()

LARGEST_SHOWN = 10
LARGEST_FILE = 1 << 26
"""The most bytes of a file of prices, which is held in memory; no transaction of prices takes as many."""


@file_commands.command("import")
def import_file(
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE.csv", help="level,customerId,appId,pricePerSms,effectiveFrom,reason[,createdBy]"),
    ],
    author: Annotated[
        str | None, typer.Option("--by", help="Who sets prices whose line names nobody; your user name if absent.")
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Names this import; made from the file if absent. A new one imports it again.")
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    allow_free: AllowFree = False,
    override_guards: OverrideGuards = False,
    raw: RawFile = False,
    as_json: AsJson = False,
) -> None:
    """Record the prices of a file, all or none, after showing what changes.

    Importing the same file twice records nothing twice.
    """
    options = ImportOptions(author or getpass.getuser(), allow_free, override_guards)
    text, rows = read_file(path, allow_free=allow_free, guarded=not raw)
    asyncio.run(_import(client_settings(), path, (text, rows), options, idempotency_key, dry_run, yes, as_json))


async def _import(  # noqa: PLR0917 - one road from the file to the book
    services: LocalSettings,
    path: Path,
    content: tuple[str, list[FileRow]],
    options: ImportOptions,
    key: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    text, rows = content
    importing = CostImport(services.pricing, rows)
    with _bar("sends prices", len(rows), "compares with the price book") as advance:
        changes = await importing.try_out(options, advance)
    if as_json:
        print_json({"dryRun": dry_run, "changes": [change.record() for change in changes]})
    else:
        _show(changes)
    for warning in await lost_ids(services, changes):
        err.print(f"warning: {warning}", markup=False)
    _check_guards(path, changes, options)
    recordable = sum(change.effect != pb.IMPORT_EFFECT_UNCHANGED for change in changes)
    if dry_run or not recordable:
        _say(as_json, "Nothing was recorded." if dry_run else "Every price is in effect already: nothing to do.")
        return
    _confirm(recordable, yes=yes)
    name = key or options.key_of(text)
    with _bar("sends prices", len(rows), "records them in one transaction") as advance:
        imported, replayed = await importing.record(options, name, advance)
    if replayed:
        raise CommandError(
            f"{path} was imported before, and its prices were changed since: nothing was recorded",
            "if it should be imported again, give the import a name of its own with --idempotency-key",
        )
    count = sum(done.effect != pb.IMPORT_EFFECT_UNCHANGED for done in imported)
    _say(as_json, f"Recorded {count:,} {'price' if count == 1 else 'prices'} in one transaction.")


def read_file(
    path: Path, *, allow_free: bool = False, need_reason: bool = True, guarded: bool = True
) -> tuple[str, list[FileRow]]:
    """The text and the prices of a file; raises CommandError that names every line at fault."""
    try:
        with path.open("rb") as file:
            octets = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", "check the name of the file") from None
    if len(octets) > LARGEST_FILE:
        raise CommandError(f"{path} has more than {LARGEST_FILE:,} bytes", "split the file")
    # What is not UTF-8 is named by the reader, with its line.
    text = octets.decode("utf-8", "surrogateescape")
    try:
        with _bar("reads", text.count("\n") or 1) as advance:
            rows = read_costs(octets, allow_free=allow_free, need_reason=need_reason, guarded=guarded, progress=advance)
    except CostFileError as error:
        count = len(error.problems)
        raise CommandError(
            f"{path} has {count:,} {'problem' if count == 1 else 'problems'}:\n  {error}",
            "correct the file and try again; nothing was recorded",
        ) from None
    if len(rows) > MAX_ROWS:
        raise CommandError(
            f"{path} has {len(rows):,} prices; {MAX_ROWS:,} at most are recorded in one transaction",
            "split the file, so that all prices of a customer stay in one part; each part is a transaction of its own",
        )
    return text, rows


def _show(changes: Sequence[Change]) -> None:
    counts = dict.fromkeys((pb.IMPORT_EFFECT_NEW, pb.IMPORT_EFFECT_CHANGED, pb.IMPORT_EFFECT_UNCHANGED), 0)
    for change in changes:
        counts[change.effect] += 1
    new, changed, unchanged = counts.values()
    prices = "price" if len(changes) == 1 else "prices"
    out.print(f"[bold]{len(changes):,} {prices}:[/] {new:,} new, {changed:,} changed, {unchanged:,} unchanged")
    if news := [change.row.price for change in changes if change.effect == pb.IMPORT_EFFECT_NEW]:
        out.print(f"new prices {_range(min(news), max(news))}")
    moved = [change for change in changes if change.effect == pb.IMPORT_EFFECT_CHANGED]
    if not moved:
        return
    largest = sorted(moved, key=lambda change: (-change.relative, change.row.line))[:LARGEST_SHOWN]
    table = Table("line", "of", "effectiveFrom", "before", "after", "change", title="largest changes")
    for column in table.columns[2:]:
        column.no_wrap = True
    for change in largest:
        row, before = change.row, change.before or Decimal(0)
        percent = f"{(row.price - before) / before * 100:+.1f} %" if before else ""
        table.add_row(
            str(row.line),
            cell(f"{LEVEL_NAMES[row.level]} {row.entity}".strip()),
            exact(to_timestamp(row.effective_from)),
            kes(micros(before)),
            kes(micros(row.price)),
            percent,
        )
    print_table(table)


def _range(low: Decimal, high: Decimal) -> str:
    """The range of new prices, which have no old ones to compare with: a slipped decimal point is at an end of it."""
    return (
        f"are {kes(micros(low))} KES" if low == high else f"lie between {kes(micros(low))} and {kes(micros(high))} KES"
    )


def _check_guards(path: Path, changes: Sequence[Change], options: ImportOptions) -> None:
    unusual = [change for change in changes if change.touched_guards]
    if not unusual:
        return
    lines = some_lines([f"line {change.row.line}: {', '.join(change.touched_guards)}" for change in unusual])
    summary = f"{path} has {len(unusual):,} unusual {'price' if len(unusual) == 1 else 'prices'}:\n  {lines}"
    if not options.override_guards:
        raise CommandError(
            summary,
            "if they are meant, add --override-guards: the rows then record that they were; nothing was recorded",
        )
    err.print(f"{summary}\n  They are recorded all the same, as --override-guards says.", markup=False)


def _confirm(count: int, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError("nobody is there to confirm; nothing was recorded", "add --yes to import without asking")
    typer.confirm(f"Record {count:,} of them?", abort=True, err=True)


def _say(as_json: bool, text: str) -> None:
    (err if as_json else out).print(text, markup=False)


@contextmanager
def _bar(doing: str, total: int | None, then: str | None = None) -> Generator[Callable[[int], None]]:
    """A progress bar on the terminal, removed at the end; without a total it only shows that work goes on.

    `then` is the label of the bar once the total is reached, while the work still goes on.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f}"), TimeElapsedColumn())
    bar = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)

    def advance(done: int) -> None:
        if then is not None and done == total:
            bar.update(task, completed=done, total=None, description=then)
        else:
            bar.update(task, completed=done)

    with bar:
        task = bar.add_task(doing, total=total)
        yield advance


@file_commands.command("export")
def export_file(
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE.csv]", help="The file to write; the terminal if absent.")
    ] = None,
    level: Annotated[str | None, typer.Option(help=f"Only one of {', '.join(LEVEL_NAMES.values())}.")] = None,
    *,
    raw: Raw = False,
    bom: Bom = False,
) -> None:
    """Write every price in effect now or later, so that importing the file changes nothing."""
    only = None if level is None else parsed(parse_level, "--level", level)
    pricing, style = client_settings().pricing, csv_style(raw=raw, bom=bom)
    if path is None:
        asyncio.run(_export(pricing, only, sys.stdout, style))
        return
    with replaced(path) as file:
        count, free = asyncio.run(_export(pricing, only, file, style))
    out.print(f"{count:,} {'price' if count == 1 else 'prices'} in {path}", markup=False)
    if free:
        out.print(f"{free:,} of them {'is' if free == 1 else 'are'} free: importing the file needs --allow-free")


async def _export(
    pricing: Address, level: pb.CostLevel.ValueType | None, file: TextIO, style: CsvStyle
) -> tuple[int, int]:
    """How many prices were written, and how many of them are 0."""
    write = cost_writer(file, style)
    count = free = 0
    with _bar("exports", None) as advance:
        async with aclosing(exported_costs(pricing, level)) as pages:
            async for page in pages:
                write(page)
                count += len(page)
                free += sum(not cost.price_micros for cost in page)
                advance(count)
    return count, free
