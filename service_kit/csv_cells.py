"""Lines of CSV files that spreadsheets open without running anything in them."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from io import StringIO

_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def plain_cell(text: str) -> str:
    """The text as a cell: with a `'` in front where a spreadsheet would take it for a formula.

    For texts that others chose, not for numbers: `+254712345678` gets one, too.
    """
    return f"'{text}" if text.startswith(_BEGINS_FORMULA) else text


def csv_line(cells: Iterable[str]) -> str:
    """The cells as one line of RFC 4180, quoted where needed, with its end."""
    line = StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
