"""Cursors go out and come back, and nothing else is taken for one."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.events.domain.event_cursor import Moment, Position
from messaging_service.events.grpc.event_cursors import MAX_LENGTH, AccountCursors, decode_entry, encode_entry
from service_kit.errors import Kind, ServiceError

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CURSORS = AccountCursors(lambda: NOON, DAY)
MESSAGE = UUID(int=7)
NUMBERS = st.integers(1, 2**63 - 1)


@st.composite
def moments(draw: st.DrawFn) -> Moment:
    first_unseen = draw(NUMBERS)
    still_open = draw(st.sets(st.integers(max(0, first_unseen - 1_000), first_unseen - 1), max_size=20))
    return Moment(first_unseen, tuple(sorted(still_open)))


@given(moments(), st.none() | moments(), st.integers(0, 2**63 - 1))
def test_a_cursor_comes_back_as_it_went(seen: Moment, until: Moment | None, after: int) -> None:
    position = Position(seen, until, after)
    assert CURSORS.decode(CURSORS.encode(position, "user123"), "user123") == position


def refusal(cursor: str, account_id: str = "user123", cursors: AccountCursors = CURSORS) -> str:
    with pytest.raises(ServiceError) as caught:
        cursors.decode(cursor, account_id)
    assert caught.value.kind is Kind.INVALID
    (violation,) = caught.value.violations
    assert (violation.field, violation.reason) == ("cursor", "INVALID_CURSOR")
    return violation.description


def test_a_cursor_belongs_to_its_account() -> None:
    assert "another" in refusal(CURSORS.encode(Position(Moment(5)), "user123"), "somebody")


def test_a_cursor_lives_for_its_time_and_then_says_what_to_do() -> None:
    cursor = CURSORS.encode(Position(Moment(5)), "user123")
    in_time = AccountCursors(lambda: NOON + DAY, DAY)
    assert in_time.decode(cursor, "user123") == Position(Moment(5))
    late = AccountCursors(lambda: NOON + DAY + timedelta(seconds=1), DAY)
    assert "ListOutboxEntries" in refusal(cursor, cursors=late)


def token(*values: object) -> str:
    """A token for the right question with other contents."""
    digest = json.loads(base64.urlsafe_b64decode(CURSORS.encode(Position(Moment(5)), "user123") + "=="))[0]
    return base64.urlsafe_b64encode(json.dumps([digest, *values]).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "garbage",
        "é",
        "W10",
        "x" * (MAX_LENGTH + 1),
        token(),
        token(1, "5:", ""),
        token(1, "", "", 0),
        token(1, "five:", "", 0),
        token(1, "5:6", "", 0),
        token(1, "-5:", "", 0),
        token(1, f"{2**64}:", "", 0),
        token(1, "5:", "x", 0),
        token(1, "5:", "", -1),
        token(1, "5:", "", "0"),
        token(10**400, "5:", "", 0),
        token("1", "5:", "", 0),
        token(1, 5, "", 0),
    ],
)
def test_anything_else_is_no_cursor(cursor: str) -> None:
    refusal(cursor)


@given(st.integers(0, 2**63 - 1))
def test_a_cursor_of_an_entry_comes_back_as_it_went(last_id: int) -> None:
    assert decode_entry(encode_entry(last_id, MESSAGE), MESSAGE) == last_id


@pytest.mark.parametrize(
    "cursor", ["garbage", encode_entry(1, UUID(int=8)), encode_entry(-1, MESSAGE), encode_entry(2**63, MESSAGE)]
)
def test_anything_else_is_no_cursor_of_the_entry(cursor: str) -> None:
    with pytest.raises(ServiceError) as caught:
        decode_entry(cursor, MESSAGE)
    assert [violation.field for violation in caught.value.violations] == ["cursor"]
