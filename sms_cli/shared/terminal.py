"""What commands print: tables, records, JSON and failures, coloured on a terminal only."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Mapping
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from sms_cli.shared.command_error import CommandError

_NARROWEST = 16
"""The fewest terminal columns for a table column of words that wraps."""


class _Terminal(Console):
    """A terminal that may disappear: further output is dropped, and nothing else happens."""

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401 - as in the base class
        """Prints, if anybody is there to see it."""
        try:
            super().print(*objects, **options)
        except OSError:
            # A closed terminal; a closed pipe calls the method below by itself.
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Goes quiet instead of ending the process, because `up` still has to stop its parts in order."""
        self.quiet = True
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - not a file of ours
            os.dup2(nowhere.fileno(), self.file.fileno())


out = _Terminal(highlight=False, soft_wrap=True)
err = _Terminal(stderr=True, highlight=False, soft_wrap=True)


def print_failure(error: CommandError) -> None:
    """Prints what went wrong and what to do, on standard error."""
    err.print(f"[bold red]error:[/] {escape(str(error))}")
    for line in error.remedy.splitlines():
        err.print(f"  [bold]->[/] {escape(line)}")
    if error.request_id:
        err.print(f"  [dim]request {escape(error.request_id)}: in the logs as request_id[/]")


def print_failure_as_json(error: CommandError) -> None:
    """Prints a failure as JSON on standard error; standard output is for the requested document only."""
    document = {"error": {"message": str(error), "remedy": error.remedy, "exitCode": error.exit_code}}
    if error.reason:
        document["error"]["reason"] = error.reason
    if error.request_id:
        document["error"]["requestId"] = error.request_id
    sys.stderr.write(json.dumps(document, ensure_ascii=False) + "\n")


def cell(value: object) -> str:
    """A value as the text of a table cell; empty for None."""
    return "" if value is None else escape(str(value))


def is_wide(columns: int) -> bool:
    """Whether there is room for a table of that width; always when output is no terminal."""
    return not out.is_terminal or out.width >= columns


def print_table(table: Table, *, wraps: Collection[str] = ()) -> None:
    """Prints a table with nothing cut off, because ids, numbers and causes are input of the next command.

    `wraps` names the columns that may wrap between words. When even that is too wide, each row is printed as names and
    values below one another. Without a terminal, for instance in a pipe, rows are lines of values separated by tabs,
    below a line of the names.
    """
    names = [_plain(column.header) for column in table.columns]
    rows = list(zip(*([_plain(value) for value in column.cells] for column in table.columns), strict=True))
    if not out.is_terminal:
        # Written directly, because a console would turn tabs into spaces.
        try:
            for line in (names, *rows):
                out.file.write("\t".join(" ".join(value.split()) for value in line) + "\n")
        except BrokenPipeError:
            out.on_broken_pipe()
        return
    table.title_justify = "left"
    width = 1
    for column, name, values in zip(table.columns, names, zip(*rows, strict=True) if rows else names, strict=True):
        longest = max(cell_len(part) for value in (name, *values) for part in value.split("\n"))
        column.no_wrap = name not in wraps
        column.overflow = "fold"
        if not column.no_wrap:
            # The longest word, which may be an id or an address, must fit.
            word = max((cell_len(part) for value in (name, *values) for part in value.split()), default=0)
            longest = column.min_width = max(word, min(longest, _NARROWEST))
        width += 3 + longest
    if width <= out.width:
        out.print(table, soft_wrap=False)
        return
    if table.title:
        out.print(f"[bold]{table.title}[/]")
    for place, row in enumerate(rows):
        if place:
            out.print()
        print_record({name: value or None for name, value in zip(names, row, strict=True)})


def _plain(value: object) -> str:
    """The text of a cell, without colours."""
    return Text.from_markup(value).plain if isinstance(value, str) else str(value)


def print_record(record: Mapping[str, object]) -> None:
    """Prints names and values below one another, without the values that are None."""
    width = max(map(len, record), default=0)
    for name, value in record.items():
        if value is not None:
            out.print(f"[bold]{name:<{width}}[/]  {cell(value)}")


def print_json(document: object) -> None:
    """Prints the document as JSON, without colours or added line breaks."""
    print(json.dumps(document, indent=2, ensure_ascii=False))  # noqa: T201 - for programs
