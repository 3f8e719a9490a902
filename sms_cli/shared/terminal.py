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
"""Columns of the terminal for a column of words that goes over several lines."""


class _Terminal(Console):
    """A terminal that may go away: what is printed from then on is lost, and nothing else happens."""

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401 - as in the base class
        """Prints, if anybody is there to see it."""
        try:
            super().print(*objects, **options)
        except OSError:
            # A closed terminal, where a closed pipe would be told by the method below.
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Goes quiet, instead of ending the process: the parts are still to be stopped in order."""
        self.quiet = True
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - not a file of ours
            os.dup2(nowhere.fileno(), self.file.fileno())


out = _Terminal(highlight=False, soft_wrap=True)
err = _Terminal(stderr=True, highlight=False, soft_wrap=True)


def print_failure(error: CommandError) -> None:
    """What went wrong and what to do, on standard error."""
    err.print(f"[bold red]error:[/] {escape(str(error))}")
    for line in error.remedy.splitlines():
        err.print(f"  [bold]->[/] {escape(line)}")


def print_failure_as_json(error: CommandError) -> None:
    """The same for programs, on standard error: standard output holds nothing but the document that was asked for."""
    document = {"error": {"message": str(error), "remedy": error.remedy, "exitCode": error.exit_code}}
    if error.reason:
        document["error"]["reason"] = error.reason
    sys.stderr.write(json.dumps(document, ensure_ascii=False) + "\n")


def cell(value: object) -> str:
    """A value in a table; nothing for None."""
    return "" if value is None else escape(str(value))


def is_wide(columns: int) -> bool:
    """Whether a table of that many columns has room: on such a terminal, and always where none is."""
    return not out.is_terminal or out.width >= columns


def print_table(table: Table, *, wraps: Collection[str] = ()) -> None:
    """The table, with nothing cut off: ids, numbers and causes are what the next command needs.

    `wraps` names the columns that may go over several lines, between words. Where even that has no room, each row is
    shown as names and values below one another. Without a terminal, for instance in a pipe, rows are lines with tabs
    between the values, under a line of the names.
    """
    names = [_plain(column.header) for column in table.columns]
    rows = list(zip(*([_plain(value) for value in column.cells] for column in table.columns), strict=True))
    if not out.is_terminal:
        # Written as they are: a console would turn tabs into spaces.
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
            # An id or an address among the words is a word as well, and is not taken apart.
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
    """What a cell says, without its colours."""
    return Text.from_markup(value).plain if isinstance(value, str) else str(value)


def print_record(record: Mapping[str, object]) -> None:
    """Names and values below one another, without the values that are None."""
    width = max(map(len, record), default=0)
    for name, value in record.items():
        if value is not None:
            out.print(f"[bold]{name:<{width}}[/]  {cell(value)}")


def print_json(document: object) -> None:
    """The document as JSON, without colours or line breaks of our own."""
    print(json.dumps(document, indent=2, ensure_ascii=False))  # noqa: T201 - for programs
