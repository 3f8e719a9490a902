"""What of its limits an account has used, and when a day of Nairobi, an hour and a minute end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from messaging_service.accounts.domain.account_limits import AccountUsage


def usage(text: str) -> AccountUsage:
    return AccountUsage(Decimal(5), 3, at(text))


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-06-{text}Z").astimezone(UTC)


@pytest.mark.parametrize(
    ("before", "now", "spent"),
    [
        # The day begins at 21:00 in UTC.
        ("01T20:59:59", "01T21:00:00", 0),
        ("01T20:59:00", "01T20:59:59.999999", 5),
        ("01T21:00:00", "02T00:30:00", 5),
        ("01T21:00:00", "02T20:59:59", 5),
        ("01T12:00:00", "02T12:00:00", 0),
    ],
)
def test_what_was_spent_today_is_forgotten_at_midnight_in_nairobi(before: str, now: str, spent: int) -> None:
    assert usage(before).at(at(now)).spent_today == spent


@pytest.mark.parametrize(
    ("before", "now", "sent"),
    [
        ("01T12:00:00", "01T12:00:59.999999", 3),
        ("01T12:00:59", "01T12:01:00", 0),
        ("01T12:00:00", "01T13:00:00", 0),
        ("01T12:00:00", "02T12:00:00", 0),
    ],
)
def test_what_was_sent_this_minute_is_forgotten_with_it(before: str, now: str, sent: int) -> None:
    later = usage(before).at(at(now))
    assert (later.sent_this_minute, later.as_of) == (sent, at(now))


@pytest.mark.parametrize(
    ("now", "day", "hour", "minute"),
    [
        ("01T20:00:00", timedelta(hours=1), timedelta(hours=1), timedelta(minutes=1)),
        ("01T21:00:00", timedelta(hours=24), timedelta(hours=1), timedelta(minutes=1)),
        ("01T20:59:59", timedelta(seconds=1), timedelta(seconds=1), timedelta(seconds=1)),
        (
            "02T00:30:15.500000",
            timedelta(hours=20, minutes=29, seconds=44.5),
            timedelta(minutes=29, seconds=44.5),
            timedelta(seconds=44.5),
        ),
    ],
)
def test_a_limit_says_when_its_time_is_over(now: str, day: timedelta, hour: timedelta, minute: timedelta) -> None:
    present = usage(now)
    assert (present.day_ends_in, present.hour_ends_in, present.minute_ends_in) == (day, hour, minute)
