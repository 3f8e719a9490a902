"""CSV that spreadsheets open without running anything in it."""

from __future__ import annotations

import csv
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service_kit.csv_cells import csv_line, plain_cell


@pytest.mark.parametrize("text", ["=1+1", "+254712345678", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_what_a_spreadsheet_would_run_gets_a_mark_in_front(text: str) -> None:
    assert plain_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "shop", "a=b", "O'Brien", "2026-01-31", "1-2"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert plain_cell(text) == text


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=6))
def test_every_line_is_read_back_as_it_was(cells: list[str]) -> None:
    (line,) = csv.reader(StringIO(csv_line(cells), newline=""))
    assert line == cells
