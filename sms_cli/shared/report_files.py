"""Rows of reports as CSV and JSON files, written as they come."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TextIO, cast

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from service_kit.csv_files.csv_writer import FOR_ALL, CsvLines, CsvStyle
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.terminal import err

FORMATS = (".csv", ".json")
IN_MEMORY = 1 << 24
"""The most characters of a document kept in memory before it is printed; beyond it goes to a temporary file."""

Row = Mapping[str, object]
"""A row by column: texts, whole numbers, lists of texts, or None."""


class RowFile:
    """Writes rows of the same columns, as CSV or as a JSON array."""

    def __init__(
        self,
        file: TextIO,
        columns: Iterable[str],
        *,
        as_json: bool,
        numbers: Iterable[str] = (),
        style: CsvStyle = FOR_ALL,
    ) -> None:
        """`numbers`: columns whose texts are exact numbers, which are never taken for formulas."""
        self._file = file
        self._columns = list(columns)
        self._as_json = as_json
        self._lines = CsvLines(self._columns, style, numbers=numbers)
        self._separator = "\n"
        file.write("[" if as_json else self._lines.head())
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
                self._file.write(self._lines.line(_cell(row[column]) for column in self._columns))
            self.rows += 1

    def end(self) -> None:
        """Ends the file after the last row."""
        if self._as_json:
            self._file.write("\n]\n")

    def totals(self, row: Row) -> None:
        """Writes a last row of totals to a CSV file; a JSON array has none."""
        if not self._as_json:
            self._file.write(self._lines.line(_cell(row[column]) for column in self._columns))


def _cell(value: object) -> object:
    return " ".join(value) if isinstance(value, list) else value


def file_format(path: Path) -> str:
    """`.csv` or `.json`; raises ValueError for another name."""
    if path.suffix not in FORMATS:
        raise ValueError(f"{path.name!r} ends neither in .csv nor in .json")
    return path.suffix


@contextmanager
def replaced(path: Path, *, private: bool = False) -> Generator[TextIO]:
    """A file that replaces `path` when it is complete, so that no reader sees a part of it.

    `private`: nobody else may read it. Raises CommandError when it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # A file that is there already may be readable by others, so a private one is always new.
        flags, mode = (os.O_EXCL, 0o600) if private else (os.O_TRUNC, 0o666)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | flags, mode)
        with open(descriptor, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - a descriptor
            yield file
        unfinished.replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}", "check the folder") from None
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def whole_output() -> Generator[TextIO]:
    """Standard output for a document that is useless in part: printed when complete, otherwise not at all."""
    with SpooledTemporaryFile(IN_MEMORY, "w+", encoding="utf-8", newline="") as file:
        yield cast("TextIO", file)
        file.seek(0)
        shutil.copyfileobj(file, sys.stdout)


@contextmanager
def progress(doing: str, total: float | None = None) -> Generator[Callable[[int, float | None], None]]:
    """A progress bar on the terminal, removed at the end; called with the rows so far and their share of the total."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rows]:,}"), TimeElapsedColumn())
    bar = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
    with bar:
        task = bar.add_task(doing, total=total, rows=0)
        yield lambda rows, done: bar.update(task, rows=rows, completed=done)
