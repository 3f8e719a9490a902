"""Waits before a carrier is tried again."""

from __future__ import annotations

from messaging_service.adapters.carriers.backoff import backoff_s


def test_waits_double_within_their_bounds() -> None:
    longest = [backoff_s(attempt, 0.2, 30.0, lambda: 1.0) for attempt in (1, 2, 3, 8, 9, 10_000)]
    assert longest == [0.2, 0.4, 0.8, 25.6, 30.0, 30.0]


def test_a_wait_may_be_drawn_as_none_at_all() -> None:
    assert backoff_s(5, 0.2, 30.0, lambda: 0.0) == 0.0
