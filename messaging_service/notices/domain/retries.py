"""How long and how often a delivery is tried, and what waits meanwhile."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

PAUSES_S: Final = (5.0, 30.0, 120.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0)


@dataclass(frozen=True, slots=True)
class Retries:
    """An operator's choice, the same for every endpoint."""

    give_up_after: timedelta = timedelta(days=1)
    """How long a delivery is tried. The end is recorded with the delivery, so a change applies to what is recorded or
    replayed afterwards; changes of all else apply from the next failed try."""
    pauses: tuple[timedelta, ...] = tuple(timedelta(seconds=pause) for pause in PAUSES_S)
    """Before the second try, the third and so on; the last one repeats. Never empty."""
    in_order_tries: int = 3
    """Tries of a delivery that those behind it wait for. After them it steps aside, so that one event that an endpoint
    cannot process does not hold up a day's worth."""
    endpoint_pause_at_most: timedelta = timedelta(minutes=2)
    """Longest time for which an endpoint is left alone when the delivery that failed has stepped aside."""
    retry_after_at_most: timedelta = timedelta(hours=1)
    """Longest `Retry-After` that is respected; an endpoint that asks for more is called after this time."""

    def pause(self, tries: int, jitter: float | None = None) -> timedelta:
        """How long a delivery waits after `tries` failed tries, up to a tenth more or less by `jitter`, -1 to 1."""
        pause = self.pauses[min(tries, len(self.pauses)) - 1]
        spread = random.uniform(-1, 1) if jitter is None else jitter  # noqa: S311 - keeps receivers from being called at once
        return pause * (1 + spread / 10)

    def endpoint_pause(self, failures: int) -> timedelta:
        """How long an endpoint is left alone after `failures` failed tries in a row, of whichever deliveries."""
        return min(self.pauses[min(failures, len(self.pauses)) - 1], self.endpoint_pause_at_most)

    def asked_pause(self, retry_after: timedelta | None) -> timedelta:
        """How long an endpoint is left alone because it asked for it; zero when it did not."""
        return min(retry_after or timedelta(), self.retry_after_at_most)


def retry_after(text: str | None, now: datetime) -> timedelta | None:
    """The time that a `Retry-After` header asks for: seconds, or until a date (RFC 9110 §10.2.3).

    None when there is none that can be read; never negative.
    """
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        # More digits than these are longer than anything that is kept to.
        return timedelta(seconds=int(text[:9]))
    try:
        date = parsedate_to_datetime(text)
        until = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(until - now, timedelta())
    except (ValueError, OverflowError):
        return None
