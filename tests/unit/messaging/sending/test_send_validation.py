"""What a request to send must fulfil."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from messaging_service.sending.domain.send_request import SendRequest
from messaging_service.sending.domain.validation import MAX_MESSAGE_ID, MAX_MESSAGE_NAME, MAX_TAG, MAX_TAGS, validate
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, MAX_SCHEDULE_AHEAD
from messaging_service.shared.domain.message import outbox_id, parse_outbox_id
from messaging_service.shared.domain.states import Priority
from messaging_service.shared.numbering.phone_number_rules import phone_number_problem
from messaging_service.texts.message_text import MAX_TEXT_CHARACTERS
from service_kit.errors import Kind, ServiceError, Violation
from tests.contract.sms_examples import NOON, acceptance, draft, request

SECOND = timedelta(seconds=1)


def check(max_units: int = 10, **changes: Any) -> SendRequest:
    return validate(draft(**changes), now=NOON, phone_problem=phone_number_problem, max_units=max_units)


def violations(max_units: int = 10, **changes: Any) -> list[Violation]:
    with pytest.raises(ServiceError) as caught:
        check(max_units, **changes)
    assert caught.value.kind is Kind.INVALID
    return list(caught.value.violations)


def only(max_units: int = 10, **changes: Any) -> tuple[str, str]:
    (violation,) = violations(max_units, **changes)
    assert violation.description
    return violation.field, violation.reason


def test_a_good_request_passes_as_it_is() -> None:
    checked = check(
        message_name="OTP Verification",
        message_id="msg123",
        priority=Priority.HIGH,
        tags=["notification", "OTP"],
        custom_data_json='{"purpose": "Account Verification"}',
        app_id="app7",
    )
    assert (checked.account_id, checked.recipient, checked.sender_id) == ("user123", "+254712345678", "TUKUPAY")
    assert (checked.client_message_id, checked.message_name, checked.app_id) == ("msg123", "OTP Verification", "app7")
    assert (checked.tags, checked.priority) == (("notification", "OTP"), Priority.HIGH)
    assert checked.custom_data_json == '{"purpose": "Account Verification"}'
    assert (checked.segmentation.units, checked.scheduled_at, checked.is_future) == (1, None, False)


@pytest.mark.parametrize(
    ("field", "limit"),
    [
        ("user_id", MAX_IDENTIFIER),
        ("app_id", MAX_IDENTIFIER),
        ("message_id", MAX_MESSAGE_ID),
        ("message_name", MAX_MESSAGE_NAME),
    ],
)
def test_identifiers_have_one_to_so_many_printable_characters(field: str, limit: int) -> None:
    for fine in ("a", "é" * limit, "with space", "日本語 😀"):
        check(10, **{field: fine})
    for wrong in ("", "   ", "a" * (limit + 1), "a\nb", "a\x00b", "\u202eabc", "\ud800"):
        assert only(10, **{field: wrong}) == (field, "INVALID_IDENTIFIER")


LOOKALIKES = ["m1 ", " m1", "Jose\u0301", "a\tb", "a\u200bb", "a\u00a0b", "\u3000a"]


@pytest.mark.parametrize("lookalike", LOOKALIKES)
@pytest.mark.parametrize("field", ["user_id", "app_id", "message_id"])
def test_an_identifier_that_looks_like_another_one_is_refused(field: str, lookalike: str) -> None:
    assert only(10, **{field: lookalike}) == (field, "INVALID_IDENTIFIER")


@pytest.mark.parametrize("lookalike", LOOKALIKES)
def test_a_tag_that_looks_like_another_one_is_refused(lookalike: str) -> None:
    assert only(10, tags=["vip", lookalike]) == ("tags[1]", "INVALID_TAG")


def test_the_refusal_says_how_to_write_an_identifier() -> None:
    (space,) = violations(user_id="shop ")
    assert space.description == "begins or ends with a space; leave it out"
    (decomposed,) = violations(user_id="Jose\u0301")
    assert "normalise it to NFC" in decomposed.description
    assert check(user_id="Jos\u00e9").account_id == "Jos\u00e9"


@pytest.mark.parametrize("number", ["", "0712345678", "254712345678", "+25471234567", "+254 712 345 678", "+999123456"])
def test_a_recipient_is_a_phone_number_with_its_plus(number: str) -> None:
    (violation,) = violations(recipient_phone_number=number)
    assert (violation.field, violation.reason) == ("recipient_phone_number", "INVALID_PHONE_NUMBER")
    assert not number or number not in violation.description


@pytest.mark.parametrize("sender", ["", "TWELVECHARSX", "12", "1234567890123456", "NAÏVE", "A*B"])
def test_a_sender_is_something_that_a_phone_shows(sender: str) -> None:
    assert only(sender_id=sender) == ("sender_id", "INVALID_SENDER_ID")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "EMPTY_MESSAGE"),
        ("a\x00b", "INVALID_TEXT"),
        ("\ud83d", "INVALID_TEXT"),
        ("a" * (153 * 10 + 1), "MESSAGE_TOO_LONG"),
        ("a" * (MAX_TEXT_CHARACTERS + 1), "MESSAGE_TOO_LONG"),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused(text: str, reason: str) -> None:
    (violation,) = violations(message=text)
    assert (violation.field, violation.reason) == ("message", reason)
    assert "aaa" not in violation.description


def test_the_limit_is_in_units_and_says_how_many_there_are() -> None:
    assert check(message="a" * 1_530).segmentation.units == 10
    (violation,) = violations(message="a" * 1_531)
    assert "takes 11 SMS units" in violation.description
    assert check(max_units=20, message="a" * 3_060).segmentation.units == 20
    assert only(max_units=1, message="a" * 161) == ("message", "MESSAGE_TOO_LONG")


@pytest.mark.parametrize("text", [" ", "\n", "\x1b", "Karibu\r\nsana", "\u202e"])
def test_white_space_and_odd_characters_are_text(text: str) -> None:
    assert check(message=text).text == text


def test_a_schedule_is_at_most_a_year_ahead() -> None:
    edge = NOON + MAX_SCHEDULE_AHEAD
    assert check(scheduled_time=edge).is_future
    assert only(scheduled_time=edge + SECOND) == ("scheduled_time", "SCHEDULE_TOO_FAR")


def test_a_schedule_that_is_not_ahead_means_now() -> None:
    assert not check(scheduled_time=NOON).is_future
    past = check(scheduled_time=NOON - 1_000 * MAX_SCHEDULE_AHEAD)
    assert not past.is_future
    assert past.scheduled_at == NOON - 1_000 * MAX_SCHEDULE_AHEAD
    assert check(scheduled_time=NOON + SECOND).is_future


def test_tags_are_few_and_short() -> None:
    check(tags=[f"tag {n}" for n in range(MAX_TAGS)])
    check(tags=["t" * MAX_TAG, "same", "same"])
    assert only(tags=["t"] * (MAX_TAGS + 1)) == ("tags", "TOO_MANY_TAGS")
    assert [violation.field for violation in violations(tags=["fine", "", "t" * (MAX_TAG + 1), "a\tb"])] == [
        "tags[1]",
        "tags[2]",
        "tags[3]",
    ]


def test_every_fault_is_named_at_once() -> None:
    found = violations(
        user_id="",
        recipient_phone_number="0712",
        message="",
        sender_id="!",
        message_name="",
        message_id="",
        app_id="",
        scheduled_time=NOON + 2 * MAX_SCHEDULE_AHEAD,
        tags=[""],
        custom_data_json="[]",
    )
    assert {violation.field for violation in found} == {
        "user_id",
        "recipient_phone_number",
        "message",
        "sender_id",
        "message_name",
        "message_id",
        "app_id",
        "scheduled_time",
        "tags[0]",
        "custom_data_json",
    }


def test_the_sentence_of_the_error_names_every_fault_and_no_value() -> None:
    with pytest.raises(ServiceError) as caught:
        check(user_id="", recipient_phone_number="0712345678", message="secret\x00")
    for word in ("user_id", "recipient_phone_number", "message"):
        assert word in caught.value.message
    assert "secret" not in caught.value.message
    assert "0712345678" not in caught.value.message


# Fingerprints.


def test_requests_for_the_same_thing_have_one_fingerprint() -> None:
    one = request(custom_data_json='{"a": 1, "b": [2, null]}', tags=["x"])
    other = request(custom_data_json='{"b":[2,null],"a":1}', tags=("x",))
    assert one.fingerprint() == other.fingerprint()
    assert acceptance().fingerprint == acceptance(message_id="another").fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"tags": ["a", "b"]}, {"tags": ["b", "a"]}),
        ({"tags": ["a,b"]}, {"tags": ["a", "b"]}),
        ({"message_name": "x"}, {"app_id": "x"}),
        ({"message_name": "null"}, {}),
        ({"custom_data_json": '{"a":1}'}, {"custom_data_json": '{"a":"1"}'}),
        ({"custom_data_json": "{}"}, {}),
        ({"message": "a", "sender_id": "bc"}, {"message": "ab", "sender_id": "c"}),
    ],
)
def test_requests_for_different_things_have_different_ones(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert request(**one).fingerprint() != request(**other).fingerprint()


# Ids.


def test_an_outbox_id_leads_back_to_its_message() -> None:
    message_id = acceptance().message_id
    assert parse_outbox_id(outbox_id(message_id)) == message_id
    assert outbox_id(message_id).startswith("outbox_")


@pytest.mark.parametrize(
    "text",
    ["", "outbox_", "outbox_" + "0" * 31, "outbox_" + "0" * 33, "outbox_" + "G" * 32, "outbox_" + "A" * 32, "0" * 32],
)
def test_anything_else_is_no_outbox_id(text: str) -> None:
    assert parse_outbox_id(text) is None
    assert parse_outbox_id(f"outbox_{'0' * 32}\n") is None
