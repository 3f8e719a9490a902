"""No more than so many messages a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from messaging_service.adapters.carriers.throttle import CallLater, TimerHandle

BURST_S: Final = 0.1
"""What was not used in this time may be used at once."""
_UNLIMITED: Final = 1 << 30
_ROUNDING: Final = 1e-9


class Pace:
    """A bucket that fills with `rate_per_s`, and holds what comes in 0.1 s, at least one; 0 is no limit."""

    def __init__(
        self, rate_per_s: float, clock: Callable[[], float], call_later: CallLater, resumed: Callable[[], None]
    ) -> None:
        """`resumed` is called when a bucket that was found empty holds a message again."""
        self._rate_per_s = rate_per_s
        self._capacity = max(1.0, rate_per_s * BURST_S)
        self._clock = clock
        self._call_later = call_later
        self._resumed = resumed
        self._level = self._capacity
        self._filled_at = clock()
        self._timer: TimerHandle | None = None

    def free(self) -> int:
        """How many messages may go now."""
        if not self._rate_per_s:
            return _UNLIMITED
        now = self._clock()
        self._level = min(self._capacity, self._level + (now - self._filled_at) * self._rate_per_s)
        self._filled_at = now
        whole = int(self._level + _ROUNDING)
        if whole <= 0 and self._timer is None:
            self._timer = self._call_later((1.0 - self._level) / self._rate_per_s, self._resume)
        return max(0, whole)

    def take(self) -> None:
        """A message goes."""
        self._level -= 1

    def give_back(self) -> None:
        """It did not go after all."""
        self._level = min(self._capacity, self._level + 1)

    def stop(self) -> None:
        """Forgets a waiting call."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _resume(self) -> None:
        self._timer = None
        self._resumed()
