"""Waits before a carrier is tried again."""

from __future__ import annotations

from service_kit.backoff import backoff_s


def test_waits_double_within_their_bounds() -> None:
    longest = [backoff_s(attempt, 0.2, 30.0, lambda: 1.0) for attempt in (1, 2, 3, 7, 8, 10_000)]
    assert longest == [0.4, 0.8, 1.6, 25.6, 30.0, 30.0]


def test_no_wait_is_shorter_than_half_its_bound_or_the_shortest() -> None:
    shortest = [backoff_s(attempt, 0.2, 30.0, lambda: 0.0) for attempt in (1, 2, 3, 7, 8, 10_000)]
    assert shortest == [0.2, 0.4, 0.8, 12.8, 15.0, 15.0]
    assert backoff_s(3, 0.2, 0.3, lambda: 0.0) == 0.2


def test_equal_bounds_leave_nothing_to_draw() -> None:
    assert {backoff_s(attempt, 5.0, 5.0) for attempt in (1, 2, 9)} == {5.0}
