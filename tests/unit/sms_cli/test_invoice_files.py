"""What the lines of an invoice file mean."""

from __future__ import annotations

from io import StringIO

import pytest

from sms_cli.invoice_files import InvoiceFileError, read_invoice
from tukupay.sms.messaging.v1 import reports_pb2 as pb


def lines(text: str) -> list[pb.InvoiceLine]:
    return list(read_invoice("invoice.csv", StringIO(text, newline="")))


def test_columns_come_in_any_order_and_empty_cells_say_nothing() -> None:
    text = "cost,carrierMessageId,parts,day,messages,status\r\n0.80, A1 ,2,,,Success\r\n\r\n,,7,2026-01-31,5,\r\n"
    assert lines(text) == [
        pb.InvoiceLine(line=2, carrier_message_id="A1", parts=2, cost_micros=800_000),
        pb.InvoiceLine(line=4, day="2026-01-31", messages=5, parts=7),
    ]


def test_nothing_is_not_known_and_nought_is() -> None:
    none, nought = lines("carrierMessageId,parts,cost\nA,,\nB,0,0\n")
    assert not none.HasField("parts")
    assert not none.HasField("cost_micros")
    assert nought.HasField("parts")
    assert nought.HasField("cost_micros")


@pytest.mark.parametrize(("word", "failed"), [("Failed", True), ("REJECTED", True), ("Success", False), ("", False)])
def test_the_status_tells_what_did_not_arrive(word: str, failed: bool) -> None:
    (line,) = lines(f"carrierMessageId,status\nA,{word}\n")
    assert line.failed is failed


def test_a_line_has_the_number_of_where_it_begins() -> None:
    assert [line.line for line in lines('carrierMessageId\n"a\nb"\nc\n')] == [2, 4]


def test_an_id_beside_a_day_is_a_line_about_a_message() -> None:
    (line,) = lines("carrierMessageId,day\nA,2026-01-31\n")
    assert (line.carrier_message_id, line.HasField("day")) == ("A", False)


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("", 1, "needs carrierMessageId or day"),
        ("carrierMessageId,carrierMessageId\n", 1, "each column once"),
        ("carrierMessageId,price\n", 1, "'price'"),
        ("carrierMessageId,parts\nA,-1\n", 2, "not a whole number"),
        ("carrierMessageId,parts\nA,1.5\n", 2, "not a whole number"),
        ("carrierMessageId,parts\nA,1e3\n", 2, "not a whole number"),
        ("carrierMessageId,cost\nA,1\nB,-0.1\n", 3, "not an amount from 0"),
        ("carrierMessageId,cost\nA,NaN\n", 2, "NaN"),
        ("carrierMessageId,cost\nA,1000000001\n", 2, "a billion"),
        ("day\n2026-02-30\n", 2, "day"),
        ("day,parts\n2026-02-01\n", 2, "has 1 cells"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text: str, where: int, problem: str) -> None:
    with pytest.raises(InvoiceFileError, match=f"line {where}: ") as caught:
        lines(text)
    assert problem in str(caught.value)
