"""Conditions and their ranges, quiet hours, and when an alert without a reading ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from messaging_service.notices.domain.alert_conditions import (
    AlertKind,
    BalanceLow,
    CarrierBalanceLow,
    CarrierDown,
    Condition,
    OutcomesUnknown,
    SmsFailing,
    UnitsLow,
    crossed,
    out_of_range,
)
from messaging_service.notices.domain.alert_readings import balance_reading, failing_reading
from messaging_service.notices.domain.alerts import (
    CARRIER_IS_GONE_AFTER,
    DEFAULTS,
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


@pytest.mark.parametrize(
    ("condition", "bad", "between", "good"),
    [
        (BalanceLow(Decimal(100), Decimal(10)), "99.999999", "100", "110"),
        (UnitsLow(100, 10), "99", "109", "110"),
        (SmsFailing(Decimal(20), Decimal(5)), "20", "15.01", "15"),
        (OutcomesUnknown(100, 50), "100", "99", "50"),
        # A margin that leaves no room is back at none.
        (OutcomesUnknown(2, 50), "2", "1", "0"),
        (CarrierDown(timedelta(seconds=60), timedelta(0)), "60", None, "59"),
        (CarrierBalanceLow(Decimal(1_000), Decimal(100)), "999", "1099.99", "1100"),
    ],
)
def test_a_value_crosses_the_threshold_and_is_back_only_behind_the_margin(
    condition: Condition, bad: str, between: str | None, good: str
) -> None:
    assert crossed(condition, Decimal(bad)) == (True, False)
    assert crossed(condition, Decimal(good)) == (False, True)
    if between is not None:
        assert crossed(condition, Decimal(between)) == (False, False)


@pytest.mark.parametrize(
    ("condition", "fields"),
    [
        (BalanceLow(Decimal(0), Decimal(0)), []),
        (BalanceLow(Decimal("-0.000001"), Decimal("1000000.000001")), ["threshold", "margin"]),
        (UnitsLow(1_000_000, 1_000_000), []),
        (UnitsLow(1_000_001, -1), ["threshold", "margin"]),
        (SmsFailing(Decimal(100), Decimal(100), timedelta(days=1), 1_000), []),
        (SmsFailing(Decimal("0.000001"), Decimal(0), timedelta(minutes=1), 1), []),
        (
            SmsFailing(Decimal("100.000001"), Decimal(101), timedelta(seconds=59), 1_001),
            ["threshold", "margin", "window", "least_messages"],
        ),
        (SmsFailing(Decimal(0), Decimal(0), timedelta(seconds=86_401), 0), ["threshold", "window", "least_messages"]),
        (OutcomesUnknown(0, 0), ["threshold"]),
        (OutcomesUnknown(1, 1_000_000), []),
        (CarrierDown(timedelta(0)), ["threshold"]),
        (CarrierDown(timedelta(seconds=1_000_000), timedelta(seconds=1_000_000, microseconds=1)), ["margin"]),
        (CarrierBalanceLow(Decimal(1_000_001), Decimal(0)), ["threshold"]),
    ],
)
def test_a_condition_names_its_fields_that_are_out_of_range(condition: Condition, fields: list[str]) -> None:
    assert [field for field, _ in out_of_range(condition)] == fields


@pytest.mark.parametrize(("failed", "ended", "percent"), [(1, 3, "33.33"), (20, 20, "100"), (2, 2, "0"), (0, 0, "0")])
def test_failures_are_a_percentage_once_enough_messages_have_ended(failed: int, ended: int, percent: str) -> None:
    reading = failing_reading(SmsFailing(least_messages=3), "user123", failed, ended)
    assert reading.value == Decimal(percent)
    assert reading.data == {"failed": failed, "ended": ended}


def test_a_balance_in_units_needs_a_price_and_has_none_when_units_are_free() -> None:
    units = UnitsLow(100, 10)
    assert balance_reading(units, "user123", Decimal(59), None) is None
    assert balance_reading(units, "user123", Decimal(59), Decimal(0)) is None
    reading = balance_reading(units, "user123", Decimal(59), Decimal("0.6"))
    assert reading is not None
    assert reading.value == 98
    in_kes = balance_reading(BalanceLow(), "user123", Decimal(59), None)
    assert in_kes is not None
    assert in_kes.value == 59
