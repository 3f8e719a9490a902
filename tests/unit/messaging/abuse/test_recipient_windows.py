"""How many messages a phone may have in any 10 minutes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.abuse.domain.recipient_windows import (
    KEPT_US,
    OTPS,
    WINDOW_US,
    Counted,
    OtpRule,
    check_window,
    kept,
    limits_of,
)
from messaging_service.accounts.domain.account_limits import AccountLimits
from service_kit.errors import ServiceError

NOW = 1_790_000_000_000_000
SECOND = 1_000_000


@given(
    # Transactions that wait for one another begin in another order than they end in: by seconds, never by a minute.
    asked=st.lists(st.tuples(st.integers(0, 3 * WINDOW_US), st.integers(-20 * SECOND, 0)), min_size=1, max_size=60),
    limit=st.integers(1, 6),
)
def test_no_ten_minutes_anywhere_have_more_messages_than_the_limit(asked: list[tuple[int, int]], limit: int) -> None:
    sent: list[int] = []
    on_record: list[int] = []
    for at, early in sorted(asked):
        now = NOW + at + early
        on_record = kept(on_record, now)
        refusal = refusal_of(limit, on_record, now)
        if refusal is None:
            sent.append(now)
            on_record.append(now)
            continue
        assert refusal.retry_after is not None
        assert refusal.retry_after > timedelta(0)
        # After that long there is room, if nobody else takes it.
        assert refusal_of(limit, on_record, now + refusal.retry_after // timedelta(microseconds=1)) is None
    for start in sent:
        assert sum(start <= at < start + WINDOW_US for at in sent) <= limit


def refusal_of(limit: int, sent: list[int], now: int) -> ServiceError | None:
    """Why a phone gets nothing more; None when it does."""
    try:
        check_window("shop", Counted.ALL, limit, sent, now)
    except ServiceError as error:
        return error
    return None


def test_a_message_leaves_the_window_when_it_is_10_minutes_old() -> None:
    sent = [NOW]
    with pytest.raises(ServiceError) as caught:
        check_window("shop", Counted.OTPS, 1, sent, NOW + WINDOW_US - 1)
    assert (caught.value.reason, caught.value.retry_after) == (
        "RECIPIENT_LIMIT_REACHED",
        timedelta(microseconds=1),
    )
    check_window("shop", Counted.OTPS, 1, sent, NOW + WINDOW_US)


def test_a_limit_that_was_lowered_waits_for_as_many_to_leave_as_are_too_many() -> None:
    sent = [NOW, NOW + 60 * SECOND, NOW + 120 * SECOND]
    with pytest.raises(ServiceError) as caught:
        check_window("shop", Counted.ALL, 1, sent, NOW + 120 * SECOND)
    assert caught.value.retry_after == timedelta(minutes=10)


def test_instants_are_kept_a_minute_longer_than_they_count() -> None:
    assert kept([NOW], NOW + WINDOW_US) == [NOW]
    assert kept([NOW], NOW + KEPT_US) == []


@pytest.mark.parametrize(
    ("limits", "is_otp", "expected"),
    [
        (AccountLimits(), False, (None, None)),
        (AccountLimits(), True, (None, 5)),
        (AccountLimits(otps_per_recipient_window=9), True, (None, 9)),
        (AccountLimits(otps_per_recipient_window=9), False, (None, None)),
        (AccountLimits(messages_per_recipient_window=4), False, (4, None)),
        (AccountLimits(messages_per_recipient_window=4), True, (4, 5)),
    ],
)
def test_a_code_counts_as_a_message_and_as_a_code(
    limits: AccountLimits, is_otp: bool, expected: tuple[int | None, int | None]
) -> None:
    assert limits_of(limits, OTPS, is_otp=is_otp) == expected


def test_an_operator_may_lift_the_limit_of_codes() -> None:
    assert limits_of(AccountLimits(), OtpRule(per_window=None), is_otp=True) == (None, None)


def test_a_tag_is_known_in_whatever_case() -> None:
    assert OTPS.holds_for(["login", "otp"])
    assert OTPS.holds_for(["notification", "OTP"])
    assert not OTPS.holds_for(["otps", "o-t-p"])
    assert not OtpRule(frozenset()).holds_for(["otp"])
