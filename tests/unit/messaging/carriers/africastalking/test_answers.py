"""Every answer of the carrier has one meaning, and none of them can break us."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.carriers.africastalking.answers import Answer, amount, read_answer, read_balance
from messaging_service.carriers.africastalking.results import RESULTS, Consequence
from messaging_service.carriers.domain.submission import OutcomeKind
from messaging_service.sending.domain.failures import CATALOGUE

PHONE = "+254711222333"
TEXT = "Your OTP is 918273"
TAKEN = {
    "statusCode": 101,
    "number": PHONE,
    "status": "Success",
    "cost": "KES 0.8000",
    "messageId": "ATXid_1",
    "messageParts": 1,
}
REFUSED = {"number": PHONE, "cost": "0", "messageId": "None"}


def answered(*recipients: Any, message: Any = "Sent to 1/1 Total Cost: KES 0.8000", status: int = 201) -> Answer:
    body = json.dumps({"SMSMessageData": {"Message": message, "Recipients": recipients}}).encode()
    return read_answer(status, body, recipient=PHONE, text=TEXT)


def test_a_message_that_was_taken_tells_its_id_cost_and_parts() -> None:
    answer = answered(TAKEN)
    assert answer.meaning.kind is OutcomeKind.ACCEPTED
    assert (answer.message_id, answer.cost, answer.parts) == ("ATXid_1", Decimal("0.8000"), 1)
    assert answer.raw == "HTTP 201 101 Success cost KES 0.8000 parts 1"


@pytest.mark.parametrize(
    ("number", "kind", "code", "only_elsewhere", "consequence"),
    [
        (100, OutcomeKind.ACCEPTED, None, False, Consequence.NONE),
        (101, OutcomeKind.ACCEPTED, None, False, Consequence.NONE),
        (102, OutcomeKind.ACCEPTED, None, False, Consequence.NONE),
        (401, OutcomeKind.UNKNOWN, "CARRIER_ON_HOLD", False, Consequence.NONE),
        (402, OutcomeKind.REFUSED, "INVALID_SENDER", False, Consequence.NONE),
        (403, OutcomeKind.REFUSED, "INVALID_RECIPIENT", False, Consequence.NONE),
        (404, OutcomeKind.REFUSED, "UNSUPPORTED_NUMBER", False, Consequence.NONE),
        (405, OutcomeKind.NOT_TAKEN, "CARRIER_OUT_OF_FUNDS", False, Consequence.OUT_OF_FUNDS),
        (406, OutcomeKind.REFUSED, "OPTED_OUT_AT_CARRIER", False, Consequence.NONE),
        (407, OutcomeKind.NOT_TAKEN, "NO_ROUTE", True, Consequence.NONE),
        (409, OutcomeKind.REFUSED, "DO_NOT_DISTURB", False, Consequence.NONE),
        (500, OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR", False, Consequence.NONE),
        (501, OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR", False, Consequence.NONE),
        (502, OutcomeKind.NOT_TAKEN, "REJECTED_BY_CARRIER", True, Consequence.NONE),
        (999, OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR", False, Consequence.NONE),
        (-1, OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR", False, Consequence.NONE),
    ],
)
def test_each_status_code_has_one_meaning(
    number: int, kind: OutcomeKind, code: str | None, only_elsewhere: bool, consequence: Consequence
) -> None:
    for spelling in (number, str(number)):
        meaning = answered(REFUSED | {"statusCode": spelling, "status": "Whatever"}).meaning
        assert (meaning.kind, meaning.code) == (kind, code)
        assert (meaning.only_elsewhere, meaning.consequence) == (only_elsewhere, consequence)


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result.name)
def test_each_result_has_an_explanation(result: Any) -> None:
    assert result.meaning.code is None or result.meaning.code in CATALOGUE


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, OutcomeKind.REFUSED, "REJECTED_BY_CARRIER"),
        (401, OutcomeKind.NOT_TAKEN, "CARRIER_ACCOUNT_REFUSED"),
        (404, OutcomeKind.NOT_TAKEN, "CARRIER_ACCOUNT_REFUSED"),
        (408, OutcomeKind.NOT_TAKEN, "CARRIER_BUSY"),
        (413, OutcomeKind.REFUSED, "REJECTED_BY_CARRIER"),
        (429, OutcomeKind.NOT_TAKEN, "CARRIER_THROTTLED"),
        (500, OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR"),
        (503, OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR"),
        (302, OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR"),
        (100, OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR"),
    ],
)
def test_each_http_status_has_one_meaning(status: int, kind: OutcomeKind, code: str) -> None:
    answer = read_answer(status, b"anything", recipient=PHONE, text=TEXT)
    assert (answer.meaning.kind, answer.meaning.code) == (kind, code)
    assert answer.raw == f"HTTP {status}"


@pytest.mark.parametrize(
    ("body", "code", "consequence"),
    [
        (b'{"errorMessage": "forbidden"}', "CARRIER_ACCOUNT_REFUSED", Consequence.ACCOUNT_REFUSED),
        (b"<html><body>Request blocked</body></html>", "REJECTED_BY_CARRIER", Consequence.FILTERED),
        (b'"forbidden"', "REJECTED_BY_CARRIER", Consequence.FILTERED),
        (b"", "REJECTED_BY_CARRIER", Consequence.FILTERED),
    ],
)
def test_a_403_that_the_api_did_not_write_is_about_the_message(
    body: bytes, code: str, consequence: Consequence
) -> None:
    meaning = read_answer(403, body, recipient=PHONE, text=TEXT).meaning
    assert (meaning.kind, meaning.code, meaning.consequence) == (OutcomeKind.NOT_TAKEN, code, consequence)
    assert meaning.only_elsewhere


NO_CODE = {name: value for name, value in TAKEN.items() if name != "statusCode"}
NOBODY = "Sent to 0/1 Total Cost: 0"


@pytest.mark.parametrize(
    ("entry", "message", "kind", "code"),
    [
        (NO_CODE, "Sent to 1/1 Total Cost: KES 0.8000", OutcomeKind.ACCEPTED, None),
        (NO_CODE | {"statusCode": None}, "Sent to 1/1", OutcomeKind.ACCEPTED, None),
        (NO_CODE, NOBODY, OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR"),
        (NO_CODE | {"messageId": "None"}, "Sent to 1/1", OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR"),
        (NO_CODE | {"status": "Could Not Send"}, "Sent to 1/1", OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR"),
        (REFUSED | {"status": "Could Not Send"}, NOBODY, OutcomeKind.REFUSED, "REJECTED_BY_CARRIER"),
        (REFUSED | {"status": "Success"}, NOBODY, OutcomeKind.REFUSED, "REJECTED_BY_CARRIER"),
        (REFUSED, NOBODY, OutcomeKind.REFUSED, "REJECTED_BY_CARRIER"),
        (REFUSED | {"status": "InvalidPhoneNumber"}, NOBODY, OutcomeKind.REFUSED, "INVALID_RECIPIENT"),
        (REFUSED | {"status": "InsufficientBalance"}, NOBODY, OutcomeKind.NOT_TAKEN, "CARRIER_OUT_OF_FUNDS"),
        (REFUSED | {"status": "RiskHold"}, NOBODY, OutcomeKind.UNKNOWN, "CARRIER_ON_HOLD"),
        (REFUSED | {"status": "Could Not Send", "cost": "KES 0.8"}, NOBODY, OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR"),
        (REFUSED | {"status": "Could Not Send"}, None, OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR"),
    ],
)
def test_an_answer_without_a_status_code_means_what_the_rest_of_it_says(
    entry: dict[str, Any], message: str | None, kind: OutcomeKind, code: str | None
) -> None:
    meaning = answered(entry, message=message).meaning
    assert (meaning.kind, meaning.code) == (kind, code)


@pytest.mark.parametrize("recipients", [{}, {"Recipients": None}], ids=["left out", "null"])
@pytest.mark.parametrize(
    ("message", "kind", "code"),
    [
        ("InvalidSenderId", OutcomeKind.REFUSED, "INVALID_SENDER"),
        (NOBODY, OutcomeKind.REFUSED, "REJECTED_BY_CARRIER"),
        ("Sent to 1/1 Total Cost: KES 0.8000", OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR"),
        ("Queued", OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR"),
        ("Something else", OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR"),
    ],
)
def test_an_answer_without_a_list_of_recipients_means_what_its_reason_says(
    recipients: dict[str, Any], message: str, kind: OutcomeKind, code: str
) -> None:
    body = json.dumps({"SMSMessageData": {"Message": message, **recipients}}).encode()
    meaning = read_answer(201, body, recipient=PHONE, text=TEXT).meaning
    assert (meaning.kind, meaning.code) == (kind, code)


@pytest.mark.parametrize(
    ("reason", "kind", "code"),
    [
        ("Queued", OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR"),
        ("InvalidSenderId", OutcomeKind.REFUSED, "INVALID_SENDER"),
        ("insufficientbalance", OutcomeKind.NOT_TAKEN, "CARRIER_OUT_OF_FUNDS"),
        ("Sent to 0/1 Total Cost: 0", OutcomeKind.REFUSED, "REJECTED_BY_CARRIER"),
        ("Something else", OutcomeKind.REFUSED, "REJECTED_BY_CARRIER"),
        ("Sent to 1/1 Total Cost: KES 0.8000", OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR"),
        ("", OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR"),
        (None, OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR"),
    ],
)
def test_an_answer_without_recipients_is_no_success(reason: str | None, kind: OutcomeKind, code: str) -> None:
    meaning = answered(message=reason).meaning
    assert (meaning.kind, meaning.code) == (kind, code)


@pytest.mark.parametrize(
    "recipients",
    [
        (TAKEN | {"number": "+254799999999"},),
        (TAKEN | {"number": None},),
        (TAKEN, TAKEN),
        ("text",),
        (TAKEN | {"statusCode": ""},),
        (TAKEN | {"statusCode": True},),
        (TAKEN | {"statusCode": [101]},),
    ],
)
def test_an_answer_that_does_not_fit_the_request_is_unclear(recipients: tuple[Any, ...]) -> None:
    assert answered(*recipients).meaning.kind is OutcomeKind.UNKNOWN


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{", b"\xff\xfe", b"{}", b'{"SMSMessageData": []}', b'{"SMSMessageData": {}}', b"[" * 9_000],
)
def test_garbage_is_unclear(body: bytes) -> None:
    answer = read_answer(201, body, recipient=PHONE, text=TEXT)
    assert (answer.meaning.kind, answer.meaning.code) == (OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR")


@pytest.mark.parametrize("message_id", ["None", "none", "", None, 7, "a b", "x" * 129, "a\x00"])
def test_an_id_that_is_none_is_none(message_id: Any) -> None:
    answer = answered(TAKEN | {"messageId": message_id})
    assert answer.meaning.kind is OutcomeKind.ACCEPTED
    assert answer.message_id is None


@pytest.mark.parametrize(
    ("cost", "kes"),
    [
        ("KES 0.8000", Decimal("0.8")),
        ("0", Decimal(0)),
        ("KES 85.50", Decimal("85.50")),
        ("KES0", Decimal(0)),
        ("KES0.8000", Decimal("0.8")),
        ("KES 1,200.0000", Decimal(1200)),
        ("KES 1,2", None),
        ("KES 10000.01", None),
        ("USD 0.0080", None),
        ("KES", None),
        ("KES -1", None),
        ("KES NaN", None),
        ("KES 1E+30", None),
        ("KES 0.00000001", None),
        ("", None),
        (0.8, Decimal("0.8")),
        (2, Decimal(2)),
        (0.1 + 0.2, None),
        (True, None),
        (1e300, None),
        (10**50, None),
        (None, None),
        ("KES 1 2", None),
        ("9" * 50, None),
    ],
)
def test_a_cost_is_an_amount_of_kes_or_nothing(cost: Any, kes: Decimal | None) -> None:
    assert answered(TAKEN | {"cost": cost}).cost == kes


@pytest.mark.parametrize("parts", [0, 256, "many", 1.5, -1])
def test_a_count_of_parts_that_cannot_be_is_none(parts: Any) -> None:
    assert answered(TAKEN | {"messageParts": parts}).parts is None


@pytest.mark.parametrize("field", ["status", "cost"])
def test_what_the_carrier_repeats_of_the_message_stays_out_of_the_audit_trail(field: str) -> None:
    for echo in (TEXT, "918273", "OTP is 918273", f"blocked: {TEXT}", "a\nb", "x" * 200):
        assert "918273" not in answered(TAKEN | {field: echo}).raw
        assert "918273" not in answered(message=echo).raw


def test_a_text_that_is_a_word_of_the_carrier_does_not_hide_the_result() -> None:
    body = json.dumps({"SMSMessageData": {"Recipients": [TAKEN]}}).encode()
    assert "101 Success" in read_answer(201, body, recipient=PHONE, text="success").raw


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("statusCode", "number", "status", "cost", "messageId", "messageParts"), json_values),
    ),
    json_values,
)
def test_no_answer_breaks_us(entry: dict[str, Any], message: Any) -> None:
    assert answered(entry, message=message).meaning.kind is OutcomeKind.UNKNOWN or entry.get("number")
    assert answered(TAKEN | entry).raw.isprintable()
    assert answered(message=message).raw.isprintable()


@given(st.binary(max_size=200), st.integers(100, 599))
def test_no_octets_break_us(body: bytes, status: int) -> None:
    assert read_answer(status, body, recipient=PHONE, text=TEXT).meaning.kind is not OutcomeKind.ACCEPTED
    assert read_balance(body) is None


@pytest.mark.parametrize(
    ("body", "balance"),
    [
        (b'{"UserData": {"balance": "KES 1785.50"}}', Decimal("1785.50")),
        (b'{"userData": {"balance": "KES 0.0000"}}', Decimal(0)),
        (b'{"UserData": {"balance": "KES -12.00"}}', Decimal(-12)),
        (b'{"UserData": {"balance": "KES 1,785.50"}}', Decimal("1785.50")),
        (b'{"UserData": {"balance": "KES1785.50"}}', Decimal("1785.50")),
        (b'{"UserData": {"balance": 1785.5}}', Decimal("1785.5")),
        (b'{"UserData": {"balance": "UGX 12.00"}}', None),
        (b'{"UserData": {}}', None),
        (b"{}", None),
        (b"out of order", None),
    ],
)
def test_the_balance_is_read_in_both_spellings(body: bytes, balance: Decimal | None) -> None:
    assert read_balance(body) == balance


def test_an_amount_below_nothing_is_none() -> None:
    assert amount("KES -0.01") is None
