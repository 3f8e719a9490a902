"""What the clock of the price book shows, as far as messaging knows it from messages of the book."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

CLOCK_KNOWN_S: Final = 60.0
"""While the book can be asked, an estimate of its clock is not used for longer: its clock may be set."""
CLOCK_MARGIN_S: Final = 0.25
CLOCK_DRIFT: Final = 0.001
"""Seconds by which two clocks may come apart in a second; good ones do so fifty times slower."""
_TICK: Final = timedelta(microseconds=1)


class BookClock:
    """Estimates by a monotonic clock, in seconds, that the caller reads."""

    def __init__(self) -> None:
        self._answered: tuple[datetime, float] | None = None
        self._told: tuple[datetime, float] | None = None

    def answered(self, shown: datetime, asked_at: float) -> None:
        """An answer said what the clock showed.

        The book read it after the question left: counted from there, the estimate is never behind.
        """
        if self._answered is None or asked_at >= self._answered[1]:
            self._answered = (shown, asked_at)

    def told(self, shown: datetime, heard_at: float) -> None:
        """The watch said what the clock showed a moment ago: the estimate is never ahead."""
        self._told = (shown, heard_at)

    def is_before(self, now: float, instant: datetime, *, fresh: bool) -> bool:
        """Whether the clock surely shows less than an instant; `fresh`: while the book can be asked instead."""
        if self._answered is None:
            return False
        shown, known_at = self._answered
        age_s = now - known_at
        if fresh and age_s > CLOCK_KNOWN_S:
            return False
        return shown + timedelta(seconds=age_s + age_s * CLOCK_DRIFT + CLOCK_MARGIN_S) < instant

    def within(self, now: float, start: datetime, end: datetime | None) -> datetime:
        """About what the clock shows, but not before `start` nor, where there is one, from `end` on."""
        clock = self._answered
        if clock is None or (self._told is not None and now - clock[1] > CLOCK_KNOWN_S):
            clock = self._told
        if clock is None:
            return start
        instant = max(start, clock[0] + timedelta(seconds=now - clock[1]))
        return instant if end is None or instant < end else end - _TICK
