"""Writes CSV files, all in one way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TextIO

from service_kit.csv_files.csv_cells import BOM, csv_line, guarded_cell


@dataclass(frozen=True, slots=True)
class CsvStyle:
    """For whom a file is."""

    guarded: bool = True
    """Whether texts that a spreadsheet would take for formulas get a `'` in front."""
    bom: bool = False
    """Whether the file begins with the mark by which Excel knows UTF-8."""


FOR_ALL = CsvStyle()


class CsvLines:
    """Makes the lines of a file with the same columns throughout."""

    def __init__(self, columns: Sequence[str], style: CsvStyle = FOR_ALL, *, numbers: Iterable[str] = ()) -> None:
        """`numbers`: columns whose texts are exact numbers, so that no cell of theirs can be a formula."""
        self.columns = tuple(columns)
        self._style = style
        exempt = frozenset(numbers)
        self._guards = [style.guarded and column not in exempt for column in self.columns]

    def head(self) -> str:
        """The line with the names of the columns."""
        return (BOM if self._style.bom else "") + csv_line(self.columns)

    def line(self, values: Iterable[object]) -> str:
        """One line: an empty cell for None, a whole number as it is, anything else as text."""
        return csv_line(_cell(value, guarded=guards) for value, guards in zip(values, self._guards, strict=True))


class CsvWriter:
    """Writes a file with a header."""

    def __init__(
        self, file: TextIO, columns: Sequence[str], style: CsvStyle = FOR_ALL, *, numbers: Iterable[str] = ()
    ) -> None:
        """Writes the header. The file is opened with `newline=""`; see CsvLines for the rest."""
        self._file = file
        self._lines = CsvLines(columns, style, numbers=numbers)
        file.write(self._lines.head())

    def write(self, values: Iterable[object]) -> None:
        """Writes one line, a value for each column."""
        self._file.write(self._lines.line(values))


def _cell(value: object, *, guarded: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, int) or not guarded:
        return str(value)
    return guarded_cell(str(value))
