"""Instants as whole numbers, exact, where they are reckoned with often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros_since_1970(instant: datetime) -> int:
    """Whole microseconds, exact, negative before 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def instant_of(micros: int) -> datetime:
    """The instant that many microseconds after 1970 began; raises OverflowError outside the years 1 to 9999."""
    return _EPOCH + timedelta(microseconds=micros)
