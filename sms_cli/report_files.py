"""Rows of reports as CSV and JSON files, written as they come."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from service_kit.csv_cells import csv_line, plain_cell
from sms_cli.failures import CommandError
from sms_cli.terminal import err

FORMATS = (".csv", ".json")

Row = Mapping[str, object]
"""A row by column: text of others, whole numbers, lists of texts, or None."""


class RowFile:
    """Writes rows of the same columns, as CSV or as a JSON array."""

    def __init__(self, file: TextIO, columns: Iterable[str], *, as_json: bool, numbers: Iterable[str] = ()) -> None:
        """`numbers`: columns whose texts are exact numbers, so that no cell of theirs can be a formula."""
        self._file = file
        self._columns = list(columns)
        self._as_json = as_json
        self._numbers = frozenset(numbers)
        self._separator = "\n"
        file.write("[" if as_json else csv_line(self._columns))
        self.rows = 0
        """How many were written."""

    def write(self, rows: Iterable[Row]) -> None:
        """Writes some rows."""
        for row in rows:
            if self._as_json:
                picked = {column: row[column] for column in self._columns}
                self._file.write(f"{self._separator}{json.dumps(picked, ensure_ascii=False)}")
                self._separator = ",\n"
            else:
                self._file.write(csv_line(self._cell(column, row[column]) for column in self._columns))
            self.rows += 1

    def end(self) -> None:
        """Writes what comes after the last row."""
        if self._as_json:
            self._file.write("\n]\n")

    def _cell(self, column: str, value: object) -> str:
        if value is None:
            return ""
        if isinstance(value, int) or column in self._numbers:
            return str(value)
        return plain_cell(" ".join(value) if isinstance(value, list) else str(value))


def file_format(path: Path) -> str:
    """`.csv` or `.json`; raises ValueError for another name."""
    if path.suffix not in FORMATS:
        raise ValueError(f"{path.name!r} ends neither in .csv nor in .json")
    return path.suffix


@contextmanager
def replaced(path: Path) -> Generator[TextIO]:
    """A file to write that takes the place of `path` at the end: whoever reads it never sees a half.

    Raises CommandError when it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            yield file
        unfinished.replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}", "check the folder") from None
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def progress(doing: str, total: float | None = None) -> Generator[Callable[[int, float | None], None]]:
    """A bar on the terminal, gone when done; told the rows so far and how much of the total they are."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rows]:,}"), TimeElapsedColumn())
    bar = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
    with bar:
        task = bar.add_task(doing, total=total, rows=0)
        yield lambda rows, done: bar.update(task, rows=rows, completed=done)
