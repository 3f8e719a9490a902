"""What the lines of an invoice file mean."""

from __future__ import annotations

from io import BytesIO

import pytest

from sms_cli.reports.invoice_files import InvoiceFileError, read_invoice
from tukupay.sms.messaging.v1 import reports_pb2 as pb


def lines(text: str) -> list[pb.InvoiceLine]:
    return list(read_invoice("invoice.csv", BytesIO(text.encode())))


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


FAILED_WORDS = [
    "Failed", "REJECTED", "Undeliverable", "EXPIRED", "UNDELIV", "REJECTD", "DELETED", "AbsentSubscriber",
    "UserInBlackList", "UserInBlacklist", "DeliveryFailure", "Not delivered", "not_delivered", "rejected by operator",
    "Absent-Subscriber",
]  # fmt: skip


@pytest.mark.parametrize("word", FAILED_WORDS)
def test_a_status_may_say_that_a_message_did_not_arrive(word: str) -> None:
    (line,) = lines(f"carrierMessageId,status\nA,{word}\n")
    assert line.failed


@pytest.mark.parametrize("word", ["Success", "DELIVRD", "Delivered", "sent", "Submitted", "En route", "ACCEPTD", ""])
def test_a_status_may_say_that_it_did_or_may_yet(word: str) -> None:
    (line,) = lines(f"carrierMessageId,status\nA,{word}\n")
    assert not line.failed


@pytest.mark.parametrize("word", ["0", "2", "UNKNOWN", "Bounced", "Zugestellt"])
def test_a_status_that_nobody_has_described_is_no_success(word: str) -> None:
    with pytest.raises(InvoiceFileError) as caught:
        lines(f"carrierMessageId,status\nA,Success\nB,{word}\n")
    assert str(caught.value).startswith(f"invoice.csv, line 3: the status {word!r} is not known")
    assert "write Failed or Success" in str(caught.value)


def test_a_credit_has_a_cost_below_nought_and_a_cost_may_name_its_currency() -> None:
    credit, cost = lines("carrierMessageId;cost\nA;-0.40\nB;KES 0.8000\n")
    assert (credit.cost_micros, cost.cost_micros) == (-400_000, 800_000)


def test_a_line_has_the_number_of_where_it_begins() -> None:
    assert [line.line for line in lines('carrierMessageId\n"a\nb"\nc\n')] == [2, 4]


def test_an_id_beside_a_day_is_a_line_about_a_message() -> None:
    (line,) = lines("carrierMessageId,day\nA,2026-01-31\n")
    assert (line.carrier_message_id, line.HasField("day")) == ("A", False)


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("", 1, "needs carrierMessageId or day"),
        ("carrierMessageId,parts\n", 1, "there is no line below the header"),
        ("carrierMessageId,carrierMessageId\n", 1, "the column carrierMessageId is there twice"),
        ("carrierMessageId,price\n", 1, "'price' is no column"),
        ('carrierMessageId,cost\nA,"0,40"\n', 2, "has a decimal comma"),
        ("day\n01/12/2026\n", 2, "'01/12/2026' is not a day such as 2026-01-31"),
        ("day\n20261201\n", 2, "'20261201' is not a day such as 2026-01-31"),
        ("day\n2026-W49-2\n", 2, "'2026-W49-2' is not a day such as 2026-01-31"),
        ("carrierMessageId,parts\nA,-1\n", 2, "not a whole number"),
        ("carrierMessageId,parts\nA,1.5\n", 2, "not a whole number"),
        ("carrierMessageId,parts\nA,1e3\n", 2, "not a whole number"),
        ("carrierMessageId,cost\nA,1\nB,-1000000001\n", 3, "a billion"),
        ("carrierMessageId,cost\nA,NaN\n", 2, "NaN"),
        ("carrierMessageId,cost\nA,1000000001\n", 2, "a billion"),
        ("day\n2026-02-30\n", 2, "day"),
        ("day,parts\n2026-02-01,1,2\n", 2, "has 3 values for 2 columns"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text: str, where: int, problem: str) -> None:
    with pytest.raises(InvoiceFileError, match=f"line {where}: ") as caught:
        lines(text)
    assert problem in str(caught.value)
