"""Reads CSV files as people and spreadsheets make them, line by line, and names what is wrong in one manner."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Final, TextIO, cast

from service_kit.csv_files.csv_cells import unguarded

MAX_LINE: Final = 1 << 20
"""Characters of a line; a file without an end of line is not read as one."""
MAX_CELL: Final = 131_072
"""Characters of a value."""
MAX_COLUMNS: Final = 1_000

_SEPARATORS: Final = (",", ";", "\t", "|")
_SEPARATOR_LINE = re.compile(r"\"?sep=(.)\"?[,;\t|]*", re.IGNORECASE)
_BLANK: Final = " \r\n,;\t|"
"""What a line may have that has neither a name nor a value."""
_UTF16 = ("\udcff\udcfe", "\udcfe\udcff")
"""How the mark at the start of UTF-16 text is read as UTF-8."""
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
"""What an octet that is not UTF-8 becomes under `surrogateescape`."""
_SAVE_AS = "save it as CSV UTF-8"


@dataclass(frozen=True, slots=True)
class CsvProblem:
    """What is wrong with one line of a file."""

    line: int
    """Where it begins in the file, counted from 1."""
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}"


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One line of a file below the header."""

    line: int
    """Where it begins in the file, counted from 1."""
    cells: Mapping[str, str]
    """By column, without the marks that guard against formulas; empty where the line ends early."""


class _UnreadableError(ValueError):
    """The rest of a file cannot be read."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


class CsvReader:
    """A file with a header; reads it once.

    Commas, semicolons, tabs and `|` separate, whichever gives the most known columns, or what a first line `sep=;`
    says. A byte order mark, empty lines, and columns at the end without name and value are passed over. Names of known
    columns are recognised in any case and with spaces, `_` or `-` in them.
    """

    def __init__(
        self, file: IO[bytes], known: Sequence[str], *, open_ended: bool = False, guarded: bool = True
    ) -> None:
        """Reads the header. `known`: the columns that mean something.

        `open_ended`: whether there may be others. They keep their names, and `header` and `cells` have the known ones
        by the file's spelling as well. `guarded`: whether a `'` in front of what looks like a formula is such a mark of
        ours, which is taken off.
        """
        self._known = tuple(known)
        self._open_ended = open_ended
        self._cell: Callable[[str], str] = unguarded if guarded else str
        self._line = 0
        self._reader: Iterator[list[str]] = iter(())
        self._names: list[str] = []
        self.aliases: dict[str, str] = {}
        """Of an open-ended file: what a column is called in it, and which known one it is."""
        self.header: tuple[str, ...] = ()
        """The columns with a name, in their order."""
        self.header_line = 1
        self.problem: CsvProblem | None = None
        """What is wrong with the header; then there are no rows."""
        try:
            self._begin(file)
        except _UnreadableError as error:
            self.problem = CsvProblem(error.line, str(error))

    def __iter__(self) -> Iterator[CsvRow | CsvProblem]:
        """Each line that is not empty, and what is wrong with the others; ends at a line that cannot be read."""
        if self.problem is not None:
            yield self.problem
            return
        begins = self._line + 1
        while True:
            try:
                values = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield CsvProblem(begins, f"is not CSV: {_in_words(str(error))}")
                return
            except _UnreadableError as error:
                yield CsvProblem(error.line, str(error))
                return
            if any(value and not value.isspace() for value in values):
                yield self._row(begins, values)
            # A value in quotes may go over several lines.
            begins = self._line + 1

    def _begin(self, file: IO[bytes]) -> None:
        lines = self._lines(
            io.TextIOWrapper(cast("IO[bytes]", _Borrowed(file)), "utf-8-sig", errors="surrogateescape", newline="")
        )
        first = next(lines, "")
        named = _SEPARATOR_LINE.fullmatch(first.rstrip("\r\n"))
        if named is not None:
            first = next(lines, "")
        while first and not first.strip(_BLANK):
            first = next(lines, "")
        self.header_line = max(1, self._line)
        separator = named[1] if named is not None else self._separator(first)
        if separator in '"\r\n':
            raise _UnreadableError(1, f"names {separator!r} as its separator; save the file with commas")
        self._reader = csv.reader(_chained(first, lines), delimiter=separator, strict=True)
        self._separated_by = separator
        try:
            header = [self._cell(name).strip() for name in next(self._reader, [])]
        except csv.Error as error:
            raise _UnreadableError(self.header_line, f"is not CSV: {_in_words(str(error))}") from None
        if len(header) > MAX_COLUMNS:
            raise _UnreadableError(self.header_line, f"has {len(header):,} columns; at most {MAX_COLUMNS:,} are read")
        self._take_names(header)

    def _take_names(self, header: Sequence[str]) -> None:
        exact = {name for name in header if name in self._known}
        loose = {_folded(name): name for name in self._known if name not in exact or not self._open_ended}
        for name in header:
            meant = name if name in self._known else loose.get(_folded(name))
            if meant is None:
                if name and not self._open_ended:
                    raise self._header_fault(f"{name!r} is no column")
                self._names.append(name)
            elif meant in self._names or meant in self.aliases.values():
                raise self._header_fault(f"the column {meant} is there twice")
            elif self._open_ended and meant != name:
                self._names.append(name)
                self.aliases[name] = meant
            else:
                self._names.append(meant)
        named = [name for name in self._names if name]
        if repeated := sorted({name for name in named if named.count(name) > 1}):
            raise self._header_fault(f"the column {repeated[0]} is there twice")
        self.header = (*named, *self.aliases.values())

    def _header_fault(self, problem: str) -> _UnreadableError:
        remedy = "rename one of them" if problem.endswith("twice") else f"the columns are {', '.join(self._known)}"
        return _UnreadableError(self.header_line, f"{problem}; {remedy}")

    def _row(self, line: int, values: list[str]) -> CsvRow | CsvProblem:
        width = len(self._names)
        if any(value.strip() for value in values[width:]):
            problem = f"has {len(values)} values for {width} columns; put quotes around values with "
            return CsvProblem(line, problem + _CALLED.get(self._separated_by, repr(self._separated_by)))
        cells: dict[str, str] = {}
        for place, name in enumerate(self._names):
            value = self._cell(values[place]) if place < len(values) else ""
            if name:
                cells[name] = value
            elif value.strip() and not self._open_ended:
                return CsvProblem(line, f"has a value in column {place + 1}, which has no name; name it or empty it")
        for name, meant in self.aliases.items():
            cells[meant] = cells[name]
        return CsvRow(line, cells)

    def _lines(self, text: TextIO) -> Iterator[str]:
        while line := text.readline(MAX_LINE + 1):
            self._line += 1
            if line.startswith(_UTF16):
                raise _UnreadableError(self._line, f"is UTF-16 text; {_SAVE_AS}")
            if len(line) > MAX_LINE:
                raise _UnreadableError(self._line, f"has more than {MAX_LINE:,} characters; is this a CSV file?")
            if not line.isascii() and _NOT_UTF8.search(line):
                raise _UnreadableError(self._line, f"is not UTF-8 text; {_SAVE_AS}")
            yield line

    def _separator(self, header: str) -> str:
        known = {_folded(name) for name in self._known}

        def fit(separator: str) -> int:
            names = next(csv.reader([header], delimiter=separator), [])
            return sum(_folded(self._cell(name)) in known for name in names)

        try:
            # Of equals the first wins.
            return max(_SEPARATORS, key=fit)
        except csv.Error:
            return ","


class _Borrowed(io.BufferedIOBase):
    """A file that its opener closes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1) -> bytes:
        return self._file.read(size)


_CALLED = {",": "commas", ";": "semicolons", "\t": "tabs"}


def _chained(first: str, lines: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from lines


def _folded(name: str) -> str:
    return re.sub(r"[\s_.\-]+", "", name).casefold()


def _in_words(error: str) -> str:
    if "unexpected end" in error:
        return "a quote is never closed"
    if "field limit" in error:
        return f"a value has more than {MAX_CELL:,} characters; is a quote never closed?"
    if "expected after" in error:
        return "something follows a closing quote; double a quote that belongs to the value"
    return error
