"""Bodies are read within bounds, decoded strictly, and every fault is named at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message, Receive

from gateway_http.costs.cost_models import NewCost
from gateway_http.outbox.outbox_models import NoFields
from gateway_http.shared import request_body
from gateway_http.shared.problem import ProblemError
from gateway_http.shared.request_body import MAX_BODY_BYTES, ClientGoneError, JsonBody, read_body
from gateway_http.sms.sms_models import NewSms

SMS = JsonBody(NewSms)
COST = JsonBody(NewCost)
JSON_TYPE = [(b"content-type", b"application/json")]


def refused(body: bytes, decoder: JsonBody[Any] = SMS) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        decoder.decode(body)
    assert caught.value.http_status == 400
    return caught.value


def faults(body: bytes, decoder: JsonBody[Any] = SMS) -> dict[str, str]:
    problem = refused(body, decoder)
    assert problem.reason == "INVALID_ARGUMENT"
    return {violation.field: violation.reason for violation in problem.errors}


def test_all_faults_of_a_body_are_named_at_once() -> None:
    body = b'{"userId": 1, "foo": 2, "bar": 3, "priority": "urgent", "tags": ["a", 3], "message": null,"senderId":""}'
    assert faults(body) == {
        "userId": "WRONG_TYPE",
        "recipientPhoneNumber": "REQUIRED",
        "message": "REQUIRED",
        "priority": "INVALID_VALUE",
        "tags[1]": "WRONG_TYPE",
        "foo": "UNKNOWN_FIELD",
        "bar": "UNKNOWN_FIELD",
    }


def test_null_for_an_optional_field_is_as_good_as_absent() -> None:
    body = (
        b'{"userId":"u","recipientPhoneNumber":"+254712345678","message":"m","senderId":"S","messageName":null,'
        b'"messageId":null,"scheduleTimestamp":null,"priority":null,"tags":null,"customData":null}'
    )
    request = SMS.decode(body).to_request(request_body_wait())
    for field in ("message_name", "message_id", "scheduled_time", "custom_data_json"):
        assert not request.HasField(field)
    assert list(request.tags) == []


def request_body_wait() -> Any:
    from google.protobuf.duration_pb2 import Duration

    return Duration(seconds=5)


def test_an_unknown_field_is_answered_with_the_known_ones() -> None:
    [violation] = [v for v in refused(b'{"isAdmin": true}', COST).errors if v.field == "isAdmin"]
    assert "pricePerSms" in violation.description


def test_a_wrong_level_is_answered_with_the_right_ones() -> None:
    body = b'{"level":"Gold","pricePerSms":0.7,"effectiveFrom":"2024-12-13T00:00:00Z","createdBy":"a"}'
    [violation] = refused(body, COST).errors
    assert (violation.field, violation.reason) == ("level", "INVALID_VALUE")
    assert '"SpecificCustomer"' in violation.description


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"3", b"null", b"true"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    assert faults(body) == {"": "WRONG_TYPE"}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"userId": }', "line 1, column 12 (byte 11)"),
        (b'{\n  "userId": "a",\n  oops\n}', "line 3, column 3 (byte 21)"),
        (b'\xef\xbb\xbf{"userId": "a"}', "line 1, column 1 (byte 0)"),
        (b'{"userId": "\xff"}', "line 1, column 13 (byte 12)"),
        (b"{'userId': 'a'}", "line 1, column 2 (byte 1)"),
    ],
)
def test_malformed_json_is_answered_with_its_place(body: bytes, place: str) -> None:
    problem = refused(body)
    assert problem.reason == "MALFORMED_JSON"
    assert place in problem.detail


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b'{"userId": "a', "ends in the middle"),
        (b'{"userId": "\\ud800"}', "surrogate"),
        (b'{"customData": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "nested too deeply"),
        (b'{"unknown": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "nested too deeply"),
    ],
)
def test_other_broken_bodies_are_answered_with_what_is_wrong(body: bytes, words: str) -> None:
    problem = refused(body)
    assert problem.reason == "MALFORMED_JSON"
    assert words in problem.detail


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_body_breaks_the_decoder(body: bytes) -> None:
    with pytest.raises(ProblemError):
        SMS.decode(body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["level", "pricePerSms", "reason", "tags", "userId", "x"]), _JSON))
def test_no_json_breaks_the_explanation(body: dict[str, Any]) -> None:
    import json

    problem = refused(json.dumps(body).encode(), COST)
    assert problem.errors


def test_a_request_without_fields_takes_an_empty_object_only() -> None:
    assert JsonBody(NoFields).decode(b"{}") == NoFields()
    assert faults(b'{"force": true}', JsonBody(NoFields)) == {"force": "UNKNOWN_FIELD"}


@pytest.mark.parametrize("value", [b'"text"', b"[1]", b"3", b"false"])
def test_custom_data_that_is_no_object_is_refused(value: bytes) -> None:
    body = b'{"userId":"u","recipientPhoneNumber":"+254712345678","message":"m","senderId":"S","customData":%s}' % value
    with pytest.raises(ProblemError) as caught:
        SMS.decode(body).to_request(request_body_wait())
    assert [(v.field, v.reason) for v in caught.value.errors] == [("customData", "WRONG_TYPE")]


def test_custom_data_travels_digit_by_digit() -> None:
    given_text = '{"n": 12345678901234567890123.10, "name": "Jos\\u00e9 ☂"}'
    body = (
        '{"userId":"u","recipientPhoneNumber":"+254712345678","message":"m","senderId":"S","customData":'
        + given_text
        + "}"
    )
    assert SMS.decode(body.encode()).to_request(request_body_wait()).custom_data_json == given_text


def test_custom_data_that_is_not_utf_8_is_refused() -> None:
    body = (
        b'{"userId":"u","recipientPhoneNumber":"+254712345678","message":"m","senderId":"S","customData":{"a":"\xff"}}'
    )
    with pytest.raises(ProblemError) as caught:
        SMS.decode(body).to_request(request_body_wait())
    assert caught.value.errors[0].reason == "INVALID_TEXT"


def test_price_and_time_faults_are_named_together() -> None:
    body = b'{"level":"DirectCustomer","pricePerSms":"0.7","effectiveFrom":"2024-12-13T00:00:00","createdBy":"a"}'
    with pytest.raises(ProblemError) as caught:
        COST.decode(body).to_request()
    assert [(v.field, v.reason) for v in caught.value.errors] == [
        ("pricePerSms", "WRONG_TYPE"),
        ("effectiveFrom", "NAIVE_TIMESTAMP"),
    ]


def arriving(*chunks: bytes, then: Message | None = None) -> Receive:
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": then is not None or index < len(chunks) - 1}
        for index, chunk in enumerate(chunks)
    ]
    if then is not None:
        messages.append(then)
    waiting = iter(messages)

    async def receive() -> Message:
        return next(waiting)

    return receive


async def test_a_body_in_pieces_is_put_together() -> None:
    assert await read_body(arriving(b'{"a"', b":", b"1}"), JSON_TYPE) == b'{"a":1}'


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/json",
        b"application/json; charset=utf-8",
        b'Application/JSON;charset="UTF-8"',
        b"application/json; charset=utf8",
        b"application/json;charset=us-ascii",
    ],
)
async def test_a_charset_of_json_has_no_effect(content_type: bytes) -> None:
    assert await read_body(arriving(b"{}"), [(b"content-type", content_type)]) == b"{}"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-type", b"application/x-www-form-urlencoded")],
        [(b"content-type", b"text/plain")],
        [(b"content-type", b"application/jsonp")],
    ],
)
async def test_a_body_that_is_not_declared_as_json_is_refused(headers: Sequence[tuple[bytes, bytes]]) -> None:
    with pytest.raises(ProblemError) as caught:
        await read_body(arriving(b"{}"), headers)
    assert (caught.value.reason, caught.value.http_status) == ("UNSUPPORTED_MEDIA_TYPE", 415)
    assert "application/json" in caught.value.detail


@pytest.mark.parametrize(
    ("receive", "headers"),
    [
        (arriving(b"x"), [(b"content-length", b"%d" % (MAX_BODY_BYTES + 1))]),
        (arriving(b"x" * (MAX_BODY_BYTES + 1)), []),
        (arriving(b"x" * MAX_BODY_BYTES, b"x"), []),
    ],
    ids=["declared", "whole", "in pieces"],
)
async def test_a_body_that_is_too_large_is_refused(receive: Receive, headers: Sequence[tuple[bytes, bytes]]) -> None:
    with pytest.raises(ProblemError) as caught:
        await read_body(receive, headers)
    assert (caught.value.reason, caught.value.http_status) == ("BODY_TOO_LARGE", 413)


async def test_a_body_of_just_the_limit_is_taken() -> None:
    assert len(await read_body(arriving(b"x" * MAX_BODY_BYTES), JSON_TYPE)) == MAX_BODY_BYTES


async def test_a_client_that_leaves_is_not_answered() -> None:
    with pytest.raises(ClientGoneError):
        await read_body(arriving(b"{", then={"type": "http.disconnect"}), JSON_TYPE)


async def test_a_body_that_stops_arriving_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_TIMEOUT_S", 0.0)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("the wait ends by its deadline only")

    with pytest.raises(ProblemError) as caught:
        await read_body(receive, JSON_TYPE)
    assert (caught.value.reason, caught.value.http_status) == ("BODY_TIMEOUT", 408)


async def test_a_byte_order_mark_is_ignored() -> None:
    assert await read_body(arriving(b"\xef\xbb\xbf", b'{"a":1}'), JSON_TYPE) == b'{"a":1}'


@pytest.mark.parametrize("coding", [b"identity", b" Identity ", b""])
async def test_a_body_may_be_declared_as_it_is(coding: bytes) -> None:
    assert await read_body(arriving(b"{}"), [*JSON_TYPE, (b"content-encoding", coding)]) == b"{}"


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"text":1,"text":"a","number":1}', ["text"]),
        (b'{"text":"a","text":"a","number":1,"number":2}', ["text", "number"]),
        (b'{"text":"a","te\\u0078t":"b","number":1}', ["text"]),
        (b'{"text":"a","number":1,"extra":{"b":[{"c":1,"c":2}]}}', ["c"]),
    ],
)
def test_a_field_that_is_given_twice_is_refused_by_name(body: bytes, names: list[str]) -> None:
    class Shape(msgspec.Struct, forbid_unknown_fields=True):
        text: str
        number: int
        extra: msgspec.Raw = msgspec.Raw()

    with pytest.raises(ProblemError) as caught:
        JsonBody(Shape).decode(body)
    faults = [(fault.field, fault.reason) for fault in caught.value.errors if fault.reason == "REPEATED_FIELD"]
    assert faults == [(name, "REPEATED_FIELD") for name in names]
    assert names[0] in caught.value.detail


def test_a_large_field_that_is_given_twice_is_refused_by_name() -> None:
    class Large(msgspec.Struct, forbid_unknown_fields=True):
        messages: list[msgspec.Raw]

    body = JsonBody(Large, large_field="messages")
    assert len(body.decode(b'{"messages":[{"messages":1,"message":"messages"}]}').messages) == 1
    with pytest.raises(ProblemError, match="messages: is given more than once"):
        body.decode(b'{"messages":[1],"messages":[2]}')


def test_numbers_of_any_length_are_no_reason_to_fail() -> None:
    class Shape(msgspec.Struct):
        extra: msgspec.Raw

    assert bytes(JsonBody(Shape).decode(b'{"extra":' + b"9" * 10_000 + b"}").extra) == b"9" * 10_000
