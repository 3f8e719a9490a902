"""CSV that spreadsheets open without running anything in it."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service_kit.csv_files.csv_cells import BOM, csv_line, guarded_cell, unguarded
from service_kit.csv_files.csv_writer import CsvStyle, CsvWriter


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+254712345678",
        "-2",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(A1)",
        "'=1",
        "''+1",
    ],
)
def test_what_a_spreadsheet_would_run_gets_a_mark_in_front(text: str) -> None:
    assert guarded_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "shop", "a=b", "O'Brien", "'quoted'", "2026-01-31", "1-2"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert guarded_cell(text) == text
    assert unguarded(text) == text


@given(st.one_of(st.text(), st.text("=+-@'\t\r\n＝＋－＠a", max_size=6)))
def test_the_mark_is_taken_off_again_exactly(text: str) -> None:
    assert unguarded(guarded_cell(text)) == text


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=6))
def test_every_line_is_read_back_as_it_was(cells: list[str]) -> None:
    (line,) = csv.reader(io.StringIO(csv_line(cells), newline=""))
    assert line == cells


def written(style: CsvStyle) -> str:
    file = io.StringIO(newline="")
    CsvWriter(file, ("customerId", "amount", "entries"), style, numbers=("amount",)).write(("=1", "-2.5", -3))
    return file.getvalue()


def test_numbers_are_no_formulas_and_nothing_is_marked_for_programs() -> None:
    assert written(CsvStyle()) == "customerId,amount,entries\r\n'=1,-2.5,-3\r\n"
    assert written(CsvStyle(guarded=False)) == "customerId,amount,entries\r\n=1,-2.5,-3\r\n"


def test_a_file_for_excel_says_that_it_is_utf_8() -> None:
    assert written(CsvStyle(bom=True)).startswith(f"{BOM}customerId,")
