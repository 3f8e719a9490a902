"""Quiet hours, and when an alert without a reading ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from messaging_service.notices.domain.alerts import (
    CARRIER_IS_GONE_AFTER,
    DEFAULTS,
    AlertKind,
    QuietHours,
    Verdict,
    verdict_without_reading,
)

NIGHT = QuietHours(22 * 60, 6 * 60)
NOON = QuietHours(12 * 60, 14 * 60)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-06-{text}:00Z")


@pytest.mark.parametrize(
    ("quiet", "now", "end"),
    [
        # Over midnight in Nairobi, which is 21:00 in UTC.
        (NIGHT, "01T18:59", None),
        (NIGHT, "01T19:00", "02T03:00"),
        (NIGHT, "01T20:59", "02T03:00"),
        (NIGHT, "01T21:00", "02T03:00"),
        (NIGHT, "02T02:59", "02T03:00"),
        (NIGHT, "02T03:00", None),
        # Within one day.
        (NOON, "01T08:59", None),
        (NOON, "01T09:00", "01T11:00"),
        (NOON, "01T10:59", "01T11:00"),
        (NOON, "01T11:00", None),
        # The whole day but for a minute, and none of it.
        (QuietHours(1, 0), "01T20:59", "01T21:00"),
        (QuietHours(1, 0), "01T21:00", None),
        (QuietHours(1, 0), "01T21:01", "02T21:00"),
        (QuietHours(600, 600), "01T07:00", None),
    ],
)
def test_quiet_hours_are_those_of_nairobi_and_end_when_they_say(quiet: QuietHours, now: str, end: str | None) -> None:
    assert quiet.ends_after(at(now)) == (None if end is None else at(end))


def test_seconds_of_a_minute_do_not_move_the_end() -> None:
    within = at("01T19:00") + timedelta(seconds=59, microseconds=999_999)
    assert NIGHT.ends_after(within) == at("02T03:00")
    assert at("01T19:00").tzinfo == UTC


@pytest.mark.parametrize("kind", list(AlertKind))
def test_an_alert_without_a_reading_ends_at_once_but_for_carriers(kind: AlertKind) -> None:
    rule = replace(DEFAULTS[kind], enabled=True)
    is_kept = kind in {AlertKind.CARRIER_DOWN, AlertKind.CARRIER_BALANCE_LOW}
    assert verdict_without_reading(rule, timedelta(0)) is (Verdict.KEEP if is_kept else Verdict.RESOLVE)
    assert verdict_without_reading(replace(rule, enabled=False), timedelta(0)) is Verdict.RESOLVE
    assert verdict_without_reading(None, timedelta(0)) is Verdict.RESOLVE
    assert verdict_without_reading(rule, CARRIER_IS_GONE_AFTER) is Verdict.RESOLVE
