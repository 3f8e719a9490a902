"""Bad requests: each gets a clear 4xx that names what is wrong, and leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.system.privacy import OTP
from tests.system.rest import COSTS, JSON, OUTBOX, RESEND, SEND, TEXT, sms
from tests.system.running import System


@pytest.fixture(autouse=True)
def nothing_is_left_behind(system: System) -> Iterator[None]:
    """Whatever a test here asks for, nothing is stored, held, charged or sent."""
    before = system.traces()
    costs = system.pricing_database.value("SELECT count(*) FROM cost")
    yield
    assert system.traces() == before
    assert system.pricing_database.value("SELECT count(*) FROM cost") == costs


def after_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


FIELDS: list[tuple[str, Any, str, str]] = [
    # The recipient.
    ("recipientPhoneNumber", "0712345678", "recipientPhoneNumber", "INVALID_PHONE_NUMBER"),
    ("recipientPhoneNumber", "+2547123", "recipientPhoneNumber", "INVALID_PHONE_NUMBER"),
    ("recipientPhoneNumber", "+254 712 345678", "recipientPhoneNumber", "INVALID_PHONE_NUMBER"),
    ("recipientPhoneNumber", "+2540712345678", "recipientPhoneNumber", "INVALID_PHONE_NUMBER"),
    ("recipientPhoneNumber", "+999712345678", "recipientPhoneNumber", "INVALID_PHONE_NUMBER"),
    ("recipientPhoneNumber", "+2547123456789012", "recipientPhoneNumber", "INVALID_PHONE_NUMBER"),
    ("recipientPhoneNumber", "my phone", "recipientPhoneNumber", "INVALID_PHONE_NUMBER"),
    ("recipientPhoneNumber", "", "recipientPhoneNumber", "INVALID_PHONE_NUMBER"),
    # The text.
    ("message", "", "message", "EMPTY_MESSAGE"),
    ("message", "a" * 1_531, "message", "MESSAGE_TOO_LONG"),
    ("message", "ж" * 671, "message", "MESSAGE_TOO_LONG"),
    ("message", f"{OTP} " * 2_000, "message", "MESSAGE_TOO_LONG"),
    ("message", f"{OTP} \u0000", "message", "INVALID_TEXT"),
    # The sender.
    ("senderId", "ABCDEFGHIJKL", "senderId", "INVALID_SENDER_ID"),
    ("senderId", "1234567890123456", "senderId", "INVALID_SENDER_ID"),
    ("senderId", "12", "senderId", "INVALID_SENDER_ID"),
    ("senderId", "TUKU€", "senderId", "INVALID_SENDER_ID"),
    ("senderId", "", "senderId", "INVALID_SENDER_ID"),
    # Priority and schedule.
    ("priority", "urgent", "priority", "INVALID_VALUE"),
    ("scheduleTimestamp", "2026-12-20T12:00:00", "scheduleTimestamp", "NAIVE_TIMESTAMP"),
    ("scheduleTimestamp", "tomorrow", "scheduleTimestamp", "INVALID_TIMESTAMP"),
    ("scheduleTimestamp", "2026-02-30T12:00:00Z", "scheduleTimestamp", "INVALID_TIMESTAMP"),
    ("scheduleTimestamp", after_days(366), "scheduleTimestamp", "SCHEDULE_TOO_FAR"),
    # Metadata.
    ("tags", ["tag"] * 21, "tags", "TOO_MANY_TAGS"),
    ("tags", ["fine", "x" * 51], "tags[1]", "INVALID_TAG"),
    ("tags", [""], "tags[0]", "INVALID_TAG"),
    ("customData", {"note": "x" * 4_096}, "customData", "INVALID_CUSTOM_DATA"),
    ("customData", {"note": "\u0000"}, "customData", "INVALID_CUSTOM_DATA"),
    ("customData", ["a list"], "customData", "WRONG_TYPE"),
    # Identifiers.
    ("userId", "", "userId", "INVALID_IDENTIFIER"),
    ("userId", "u" * 65, "userId", "INVALID_IDENTIFIER"),
    ("messageId", "", "messageId", "INVALID_IDENTIFIER"),
    ("messageId", "m" * 129, "messageId", "INVALID_IDENTIFIER"),
    ("userId", "shop ", "userId", "INVALID_IDENTIFIER"),
    ("userId", " shop", "userId", "INVALID_IDENTIFIER"),
    ("userId", "Jose\u0301", "userId", "INVALID_IDENTIFIER"),
    ("messageId", "m1 ", "messageId", "INVALID_IDENTIFIER"),
    ("tags", ["vip", "vip "], "tags[1]", "INVALID_TAG"),
    ("messageName", "n" * 101, "messageName", "INVALID_IDENTIFIER"),
    # Types.
    ("message", 5, "message", "WRONG_TYPE"),
    ("userId", ["user"], "userId", "WRONG_TYPE"),
    ("recipientPhoneNumber", 254712345678, "recipientPhoneNumber", "WRONG_TYPE"),
    ("tags", "OTP", "tags", "WRONG_TYPE"),
    ("tags", ["fine", 1], "tags[1]", "WRONG_TYPE"),
    ("scheduleTimestamp", 1_734_696_000, "scheduleTimestamp", "WRONG_TYPE"),
    ("customData", "text", "customData", "WRONG_TYPE"),
    # Fields that are not there to be set.
    ("status", "sent", "status", "UNKNOWN_FIELD"),
    ("costPerUnit", 0, "costPerUnit", "UNKNOWN_FIELD"),
    ("appId", "app-1", "appId", "UNKNOWN_FIELD"),
    ("outboxId", "outbox456", "outboxId", "UNKNOWN_FIELD"),
]


@pytest.mark.parametrize(
    ("field", "value", "at_fault", "reason"), FIELDS, ids=[f"{row[0]}-{row[3]}-{n}" for n, row in enumerate(FIELDS)]
)
def test_a_bad_field_is_named(system: System, field: str, value: Any, at_fault: str, reason: str) -> None:
    answer = system.rest.post(SEND, sms("bad") | {field: value})
    assert (answer.status, answer.reason) == (400, "INVALID_ARGUMENT")
    assert answer.faults == [(at_fault, reason)]
    assert answer.problem["errors"][0]["detail"]


@pytest.mark.parametrize("number", ["+14155550123", "+8613800138000", "+881612345678", "+256712345678"])
def test_a_message_to_a_country_that_is_not_allowed_is_refused(system: System, number: str) -> None:
    answer = system.rest.post(SEND, sms("bad", recipientPhoneNumber=number))
    assert (answer.status, answer.reason, answer.faults) == (409, "DESTINATION_NOT_ALLOWED", [])
    assert number not in answer.text


@pytest.mark.parametrize("field", ["userId", "recipientPhoneNumber", "message", "senderId"])
def test_a_required_field_may_be_neither_missing_nor_null(system: System, field: str) -> None:
    for request in (sms("bad", **{field: None}), sms("bad") | {field: None}):
        answer = system.rest.post(SEND, request)
        assert (answer.status, answer.faults) == (400, [(field, "REQUIRED")])


def test_all_faults_are_named_at_once(system: System) -> None:
    answer = system.rest.post(
        SEND, sms("", recipientPhoneNumber="0712", message="", senderId="", tags=["", "x" * 51]) | {"customData": {}}
    )
    assert sorted(answer.faults) == [
        ("message", "EMPTY_MESSAGE"),
        ("recipientPhoneNumber", "INVALID_PHONE_NUMBER"),
        ("senderId", "INVALID_SENDER_ID"),
        ("tags[0]", "INVALID_TAG"),
        ("tags[1]", "INVALID_TAG"),
        ("userId", "INVALID_IDENTIFIER"),
    ]


def test_the_length_of_an_over_long_text_is_told(system: System) -> None:
    answer = system.rest.post(SEND, sms("bad", message="a" * 1_531))
    assert "takes 11 SMS units; at most 10" in answer.problem["detail"]


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "the body is empty"),
        (b"{", "in the middle of a value"),
        (b'{"userId": "u",}', "line 1, column 16"),
        (json.dumps(sms("bad")).encode() + b" and more", "line 1"),
        (b'{"userId": "\xff"}', "not UTF-8"),
        (b"not json", "line 1, column 5"),
        (b'{"a":' * 10_000, ""),
    ],
    ids=["empty", "cut", "comma", "trailing", "not UTF-8", "words", "deep"],
)
def test_a_body_that_is_not_json_is_told_where(system: System, content: bytes, detail: str) -> None:
    answer = system.rest.request("POST", SEND, content, JSON)
    assert (answer.status, answer.reason) == (400, "MALFORMED_JSON")
    assert detail in answer.problem["detail"]


@pytest.mark.parametrize("content", [b"[]", b'"text"', b"null", b"5"])
def test_a_body_that_is_no_object_is_refused(system: System, content: bytes) -> None:
    answer = system.rest.request("POST", SEND, content, JSON)
    assert (answer.status, answer.faults) == (400, [("", "WRONG_TYPE")])


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"],
)
def test_another_content_type_is_refused(system: System, content_type: str) -> None:
    for path, body in ((SEND, sms("bad")), (RESEND, {"outboxId": "outbox456"}), (COSTS, {})):
        answer = system.rest.request("POST", path, json.dumps(body).encode(), {"Content-Type": content_type})
        assert (answer.status, answer.reason) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_body_without_a_content_type_is_refused(system: System) -> None:
    answer = system.rest.request("POST", SEND, json.dumps(sms("bad")).encode(), {})
    assert (answer.status, answer.reason) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_an_oversized_body_is_refused(system: System) -> None:
    body = json.dumps(sms("bad", message="x" * 70_000)).encode()
    answer = system.rest.request("POST", SEND, body, JSON)
    assert (answer.status, answer.reason) == (413, "BODY_TOO_LARGE")


def test_routes_methods_and_parameters_that_do_not_exist_are_refused(system: System) -> None:
    body = json.dumps(sms("bad")).encode()
    for method, path, status, reason in (
        ("GET", SEND, 405, "METHOD_NOT_ALLOWED"),
        ("PUT", SEND, 405, "METHOD_NOT_ALLOWED"),
        ("GET", RESEND, 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", OUTBOX, 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/api/sms/sent", 404, "ROUTE_NOT_FOUND"),
        ("POST", f"{SEND}/", 404, "ROUTE_NOT_FOUND"),
        ("POST", f"{SEND}?dryRun=true", 400, "INVALID_ARGUMENT"),
    ):
        answer = system.rest.request(method, path, body, JSON)
        assert (answer.status, answer.reason) == (status, reason), (method, path)
        assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, ("outboxId", "REQUIRED")),
        ({"outboxId": 5}, ("outboxId", "WRONG_TYPE")),
        ({"outboxId": ""}, ("outboxId", "REQUIRED")),
        ({"outboxId": "outbox456", "force": True}, ("force", "UNKNOWN_FIELD")),
    ],
    ids=["missing", "type", "empty", "unknown"],
)
def test_a_bad_resend_is_refused(system: System, body: dict[str, Any], fault: tuple[str, str]) -> None:
    answer = system.rest.post(RESEND, body)
    assert (answer.status, answer.faults) == (400, [fault])


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("", ("userId", "REQUIRED")),
        ("userId=", ("userId", "EMPTY_PARAMETER")),
        ("userId=u&status=lost", ("status", "INVALID_VALUE")),
        ("userId=u&limit=0", ("limit", "OUT_OF_RANGE")),
        ("userId=u&limit=501", ("limit", "OUT_OF_RANGE")),
        ("userId=u&pageToken=nonsense", ("pageToken", "INVALID_PAGE_TOKEN")),
        ("userId=u&userId=v", ("userId", "REPEATED_PARAMETER")),
        ("userId=u&sort=asc", ("sort", "UNKNOWN_PARAMETER")),
    ],
)
def test_a_bad_listing_is_refused(system: System, query: str, fault: tuple[str, str]) -> None:
    answer = system.rest.get(f"{OUTBOX}?{query}")
    assert (answer.status, answer.faults) == (400, [fault])


COST = {
    "level": "SpecificCustomer",
    "pricePerSms": 0.7,
    "customerId": "cust123",
    "reason": "agreed",
    "effectiveFrom": "2024-12-13T00:00:00Z",
    "createdBy": "admin123",
}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"level": "Everybody"}, ("level", "INVALID_VALUE")),
        ({"pricePerSms": "0.7"}, ("pricePerSms", "WRONG_TYPE")),
        ({"pricePerSms": 0}, ("pricePerSms", "OUT_OF_RANGE")),
        ({"pricePerSms": -1}, ("pricePerSms", "OUT_OF_RANGE")),
        ({"pricePerSms": 0.1234567}, ("pricePerSms", "TOO_PRECISE")),
        ({"customerId": None}, ("customerId", "REQUIRED")),
        ({"appId": "app-1"}, ("appId", "NOT_ALLOWED")),
        ({"level": "DirectCustomer"}, ("customerId", "NOT_ALLOWED")),
        ({"level": "AppOwner", "customerId": None}, ("appId", "REQUIRED")),
        ({"level": "TukuPay", "customerId": None, "reason": None}, ("reason", "REQUIRED")),
        ({"reason": None}, ("reason", "REQUIRED")),
        ({"effectiveFrom": "2024-12-13T00:00:00"}, ("effectiveFrom", "NAIVE_TIMESTAMP")),
        ({"createdBy": ""}, ("createdBy", "REQUIRED")),
        ({"costId": "cost001"}, ("costId", "UNKNOWN_FIELD")),
    ],
    ids=str,
)
def test_a_bad_cost_is_refused(system: System, changes: dict[str, Any], fault: tuple[str, str]) -> None:
    answer = system.rest.post(COSTS, COST | changes)
    assert (answer.status, answer.reason) == (400, "INVALID_ARGUMENT")
    assert answer.faults == [fault]


def test_a_bad_request_with_a_message_id_leaves_the_id_free(system: System) -> None:
    answer = system.rest.send("bad", messageId="later", message="a" * 2_000)
    assert answer.status == 400
    assert system.messaging_database.rows("SELECT 1 FROM idempotency WHERE account_id = 'bad'") == []
    assert TEXT not in answer.text
