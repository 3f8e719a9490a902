"""Stops using a carrier that keeps failing, and finds out carefully when it is well again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """What a breaker lets through."""

    CLOSED = "closed"
    """Everything."""
    OPEN = "open"
    """Nothing, until its time is over."""
    HALF_OPEN = "half_open"
    """One message at a time, to see how it fares."""


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When a breaker opens, and for how long."""

    outcomes: int = 20
    """How many of the latest outcomes are looked at."""
    failures: int = 15
    """It opens when this many of them failed."""
    open_s: float = 5.0
    """How long it stays open the first time; each time in a row it doubles."""
    longest_open_s: float = 60.0

    def __post_init__(self) -> None:
        """Raises ValueError that names every value that cannot work."""
        problems = [
            problem
            for good, problem in (
                (self.outcomes >= 1, f"outcomes is {self.outcomes}: use at least 1"),
                (
                    1 <= self.failures <= self.outcomes,
                    f"failures is {self.failures}: use at least 1 and at most outcomes",
                ),
                (self.open_s > 0, f"open_s is {self.open_s}: use more than 0"),
                (self.longest_open_s >= self.open_s, f"longest_open_s is {self.longest_open_s}: use at least open_s"),
            )
            if not good
        ]
        if problems:
            raise ValueError("; ".join(problems))


class CircuitBreaker:
    """Counts outcomes of one carrier in one process.

    A failure is an outcome that speaks against the carrier (no answer, a temporary error of its system), not
    one that speaks against the message or asks for a slower pace.
    """

    def __init__(self, settings: BreakerSettings, clock: Callable[[], float]) -> None:
        """`clock`: seconds on a monotonic clock."""
        self._settings = settings
        self._clock = clock
        self._failed: deque[bool] = deque(maxlen=settings.outcomes)
        self._opened_in_a_row = 0
        self._open_until: float | None = None
        self._probing = False

    @property
    def state(self) -> BreakerState:
        """Whether messages go through now."""
        if self._open_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self._clock() < self._open_until else BreakerState.HALF_OPEN

    @property
    def allows(self) -> bool:
        """Whether one more message may go through now."""
        state = self.state
        return state is BreakerState.CLOSED or (state is BreakerState.HALF_OPEN and not self._probing)

    @property
    def opens_in_s(self) -> float | None:
        """Seconds until an open breaker lets a message through; None when it is not open."""
        if self._open_until is None:
            return None
        left_s = self._open_until - self._clock()
        return left_s if left_s > 0 else None

    def reserved(self) -> None:
        """Notes that a message is about to go through; a half-open breaker lets no other through meanwhile."""
        if self.state is BreakerState.HALF_OPEN:
            self._probing = True

    def given_back(self) -> None:
        """Notes that a message that was about to go through will not."""
        self._probing = False

    def succeeded(self) -> None:
        """Notes an outcome that speaks for the carrier."""
        self._probing = False
        if self._open_until is None:
            self._failed.append(False)
        elif self.state is BreakerState.HALF_OPEN:
            self.reset()

    def failed(self) -> bool:
        """Notes an outcome that speaks against the carrier; True when the breaker opened by it."""
        self._probing = False
        state = self.state
        if state is BreakerState.OPEN:
            return False
        self._failed.append(True)
        if state is BreakerState.CLOSED and sum(self._failed) < self._settings.failures:
            return False
        open_s = min(self._settings.longest_open_s, self._settings.open_s * 2.0 ** min(self._opened_in_a_row, 30))
        self._open_until = self._clock() + open_s
        self._opened_in_a_row += 1
        self._failed.clear()
        return True

    def reset(self) -> None:
        """Forgets everything: a new connection is no longer the one that failed."""
        self._failed.clear()
        self._opened_in_a_row = 0
        self._open_until = None
        self._probing = False
