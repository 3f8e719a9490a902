"""How many submits a link to a carrier may have in flight while the carrier asks it to slow down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0


class TimerHandle(Protocol):
    """What a scheduled call gives back."""

    def cancel(self) -> None:
        """Takes the call back; harmless after it ran."""
        ...


CallLater = Callable[[float, Callable[[], None]], TimerHandle]


class Throttle:
    """Halves the window and pauses when the carrier throttles; adds one place per full round it takes.

    A pause doubles, up to the longest one, while the carrier throttles the first messages after it, so that a
    bind whose allowance is spent for the second asks seldom. Answers that come during a pause are to submits
    sent before it, and say nothing of what the carrier takes now.
    """

    def __init__(
        self,
        window: int,
        call_later: CallLater,
        resumed: Callable[[], None],
        *,
        first_pause_s: float = FIRST_PAUSE_S,
        longest_pause_s: float = LONGEST_PAUSE_S,
    ) -> None:
        self._window = window
        self._limit = float(window)
        self._call_later = call_later
        self._resumed = resumed
        self._first_pause_s = first_pause_s
        self._longest_pause_s = longest_pause_s
        self._next_pause_s = first_pause_s
        self._pause: TimerHandle | None = None
        self.allowance = window
        """Submits that may be in flight now: 0 during a pause, the whole window when all is well."""

    def throttled(self) -> bool:
        """The carrier throttled a submit. True when that starts a pause."""
        if self._pause is not None:
            return False
        self._limit = max(1.0, self._limit / 2)
        self.allowance = 0
        self._pause = self._call_later(self._next_pause_s, self._resume)
        self._next_pause_s = min(self._longest_pause_s, self._next_pause_s * 2)
        return True

    def taken(self) -> None:
        """The carrier took a submit."""
        if self._pause is not None:
            return
        self._next_pause_s = self._first_pause_s
        if self._limit < self._window:
            self._limit = min(float(self._window), self._limit + 1 / self._limit)
            self.allowance = int(self._limit)

    def stop(self) -> None:
        """Forgets a running pause, as its bind is gone."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _resume(self) -> None:
        self._pause = None
        self.allowance = int(self._limit)
        self._resumed()
