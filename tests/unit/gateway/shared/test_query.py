"""Query parameters are read strictly."""

from __future__ import annotations

import pytest

from gateway_http.shared.problem import ProblemError
from gateway_http.shared.query import choice, limit, next_link, parameters


def faults(query: bytes, required: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    with pytest.raises(ProblemError) as caught:
        parameters(query, ("level", "appId"), required)
    assert caught.value.http_status == 400
    return [(violation.field, violation.reason) for violation in caught.value.errors]


def test_parameters_are_read_by_name() -> None:
    assert parameters(b"level=TukuPay&appId=a%20b%2B", ("level", "appId")) == {"level": "TukuPay", "appId": "a b+"}
    assert parameters(b"", ("level",)) == {}


def test_every_fault_is_named() -> None:
    assert faults(b"appId=&appId=1&x=2", required=("level",)) == [
        ("appId", "EMPTY_PARAMETER"),
        ("appId", "REPEATED_PARAMETER"),
        ("x", "UNKNOWN_PARAMETER"),
        ("level", "REQUIRED"),
    ]


@pytest.mark.parametrize("query", [b"level=%ff", b"level=\xff"])
def test_a_query_that_is_not_utf_8_is_refused(query: bytes) -> None:
    assert faults(query) == [("", "INVALID_TEXT")]


def test_a_flood_of_parameters_is_refused() -> None:
    assert faults(b"&".join(b"a%d=1" % number for number in range(200))) == [("", "UNKNOWN_PARAMETER")]


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "1001", "ten", "٣", "99999999999999999999", "+5"])
def test_a_limit_outside_its_bounds_is_refused(text: str) -> None:
    with pytest.raises(ProblemError) as caught:
        limit({"limit": text}, 1_000)
    assert caught.value.errors[0].field == "limit"


def test_a_limit_is_optional() -> None:
    assert limit({}, 10) == 0
    assert limit({"limit": "10"}, 10) == 10


def test_a_choice_is_one_of_its_words() -> None:
    assert choice({}, "status", ("sent", "failed")) is None
    with pytest.raises(ProblemError, match='"sent" or "failed"'):
        choice({"status": "Sent"}, "status", ("sent", "failed"))


def test_the_next_page_asks_the_same_question() -> None:
    values = {"level": "AppOwner", "appId": "a&b", "pageToken": "old"}
    assert next_link("/x", values, "new") == '</x?level=AppOwner&appId=a%26b&pageToken=new>; rel="next"'
