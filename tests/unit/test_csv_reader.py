"""CSV files as people and spreadsheets make them."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service_kit.csv_files.csv_reader import MAX_CELL, MAX_COLUMNS, MAX_LINE, CsvProblem, CsvReader, CsvRow
from service_kit.csv_files.csv_writer import CsvStyle, CsvWriter

KNOWN = ("customerId", "price", "reason")


def read(
    content: str | bytes, known: tuple[str, ...] = KNOWN, *, open_ended: bool = False
) -> list[CsvRow | CsvProblem]:
    octets = content.encode() if isinstance(content, str) else content
    return list(CsvReader(io.BytesIO(octets), known, open_ended=open_ended))


def cells(content: str | bytes, known: tuple[str, ...] = KNOWN, *, open_ended: bool = False) -> list[dict[str, str]]:
    found = read(content, known, open_ended=open_ended)
    assert all(isinstance(row, CsvRow) for row in found), found
    return [dict(row.cells) for row in found if isinstance(row, CsvRow)]


def problem(content: str | bytes, known: tuple[str, ...] = KNOWN, *, open_ended: bool = False) -> str:
    (found,) = [row for row in read(content, known, open_ended=open_ended) if isinstance(row, CsvProblem)]
    return str(found)


ROW = {"customerId": "amina", "price": "0.6", "reason": "agreed"}


@pytest.mark.parametrize(
    "content",
    [
        "customerId,price,reason\namina,0.6,agreed\n",
        "\ufeffcustomerId,price,reason\r\namina,0.6,agreed\r\n",
        "customerId;price;reason\namina;0.6;agreed\n",
        "customerId\tprice\treason\namina\t0.6\tagreed\n",
        "customerId|price|reason\namina|0.6|agreed",
        "sep=,\ncustomerId,price,reason\namina,0.6,agreed\n",
        '"sep=;"\r\ncustomerId;price;reason\r\namina;0.6;agreed\r\n',
        "\n\ncustomerId,price,reason\namina,0.6,agreed\n",
        "sep=;\n;;\ncustomerId;price;reason\namina;0.6;agreed\n",
        "sep=#\ncustomerId#price#reason\namina#0.6#agreed\n",
        "customerId,price,reason\ramina,0.6,agreed\r",
        "CustomerID,PRICE,Reason\namina,0.6,agreed\n",
        "customer_id, Price ,re-ason\namina,0.6,agreed\n",
        '"Customer Id","Price","Reason"\n"amina","0.6","agreed"\n',
        "customerId,price,reason,\namina,0.6,agreed,\n",
        "customerId,price,reason,,\namina,0.6,agreed\n",
        "customerId,price,reason\namina,0.6,agreed,,,\n\n,,\n   \n",
        "reason,price,customerId\nagreed,0.6,amina\n",
    ],
    ids=str,
)
def test_a_file_is_read_as_it_comes(content: str) -> None:
    assert cells(content) == [ROW]


def test_a_line_that_ends_early_has_empty_cells() -> None:
    assert cells("customerId,price,reason\namina\n") == [{"customerId": "amina", "price": "", "reason": ""}]


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    found = read('sep=,\ncustomerId,price\n\n"a\n\nb",1\n,,\nc,2\n')
    assert [(row.line, row.cells["customerId"]) for row in found if isinstance(row, CsvRow)] == [
        (4, "a\n\nb"),
        (8, "c"),
    ]


def test_other_columns_keep_their_names_where_there_may_be_others() -> None:
    content = "Customer ID,Name,name,\namina,A,b,note\n"
    reader = CsvReader(io.BytesIO(content.encode()), ("customerId",), open_ended=True)
    assert reader.header == ("Customer ID", "Name", "name", "customerId")
    (row,) = reader
    assert isinstance(row, CsvRow)
    assert row.cells == {"Customer ID": "amina", "Name": "A", "name": "b", "customerId": "amina"}
    assert cells("price,Price\n1,2\n", open_ended=True) == [{"price": "1", "Price": "2"}]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("customer,price\n", "line 1: 'customer' is no column; the columns are customerId, price, reason"),
        ("customerId,CUSTOMERID\n", "line 1: the column customerId is there twice; rename one of them"),
        ("customerId,,price\na,b,1\n", "line 2: has a value in column 2, which has no name; name it or empty it"),
        ("customerId,price\na,0,65\n", "line 2: has 3 values for 2 columns; put quotes around values with commas"),
        ("customerId;price\na;b;c\n", "line 2: has 3 values for 2 columns; put quotes around values with semicolons"),
        ('customerId,price\na,1\n"b,2\n', "line 3: is not CSV: a quote is never closed"),
        ('customerId,price\n"a"b,1\n', "line 2: is not CSV: something follows a closing quote"),
        ('customerId,price\n"' + "a" * (MAX_CELL + 1) + '",1\n', "line 2: is not CSV: a value has more than 131,072"),
        ("customerId,price\n" + "a" * (MAX_LINE + 1), "line 2: has more than 1,048,576 characters"),
        (b"customerId,price\na,1\n\xff,2\n", "line 3: is not UTF-8 text; save it as CSV UTF-8"),
        ("customerId,price\n".encode("utf-16"), "line 1: is UTF-16 text; save it as CSV UTF-8"),
        ('sep="\ncustomerId,price\n', "line 1: names '\"' as its separator; save the file with commas"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(content: str | bytes, words: str) -> None:
    assert problem(content).startswith(words)


def test_a_file_has_so_many_columns_at_most() -> None:
    header = ",".join(f"c{number}" for number in range(MAX_COLUMNS + 1))
    assert problem(header, open_ended=True) == "line 1: has 1,001 columns; at most 1,000 are read"


def test_an_empty_file_has_no_columns() -> None:
    reader = CsvReader(io.BytesIO(b""), KNOWN)
    assert (reader.header, list(reader), reader.problem) == ((), [], None)


TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.text("=+-@'\t\r\n＝＋－＠a,;\"", max_size=6),
)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5), st.booleans(), st.booleans())
def test_what_is_written_is_read_back_exactly(rows: list[tuple[str, str]], guarded: bool, bom: bool) -> None:
    file = io.StringIO(newline="")
    writer = CsvWriter(file, ("customerId", "reason"), CsvStyle(guarded=guarded, bom=bom))
    for row in rows:
        writer.write(row)
    reader = CsvReader(io.BytesIO(file.getvalue().encode()), ("customerId", "reason"), guarded=guarded)
    found = [tuple(row.cells.values()) for row in reader if isinstance(row, CsvRow)]
    # A line of white space alone is an empty one.
    assert found == [row for row in rows if any(guardless.strip() for guardless in row) or _marked(row, guarded)]


def _marked(row: tuple[str, str], guarded: bool) -> bool:
    return guarded and any(text.startswith(("\t", "\r", "\n")) for text in row)
