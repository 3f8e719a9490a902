"""Cells of CSV files that spreadsheets open without running anything in them, and the way back."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from io import StringIO
from typing import Final

BOM: Final = "\ufeff"
"""At the start of a file it makes Excel read the text as UTF-8; without it `Wanjirũ` is shown broken."""

# The full-width forms count because spreadsheets of East Asian locales take them for the others.
_RUNS = r"[=+\-@\t\r\n＝＋－＠]"
_TO_GUARD = re.compile(f"'*{_RUNS}")
_GUARDED = re.compile(f"'+{_RUNS}")


def guarded_cell(text: str) -> str:
    """The text as a cell: with a `'` in front where a spreadsheet would take it for a formula.

    For texts that others chose, not for numbers: `+254712345678` gets one, too. A text that already begins with such
    a mark gets one more, so that `unguarded` gives every text back exactly.
    """
    return f"'{text}" if _TO_GUARD.match(text) else text


def unguarded(cell: str) -> str:
    """The text of a cell that `guarded_cell` made."""
    return cell[1:] if _GUARDED.match(cell) else cell


def csv_line(cells: Iterable[str]) -> str:
    """The cells as one line of RFC 4180, quoted where needed, with its end."""
    line = StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()
