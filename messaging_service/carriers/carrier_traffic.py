"""Counts what one carrier did in the last minute, for operators."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from messaging_service.carriers.domain.submission import Outcome, OutcomeKind

WINDOW_S = 60


@dataclass(frozen=True, slots=True)
class Traffic:
    """Outcomes of one carrier in one process over the last minute."""

    accepted: int
    refused: int
    not_taken: int
    unknown: int
    codes: tuple[tuple[str, int], ...]
    """The error codes of what was not accepted, the most frequent first."""

    @property
    def total(self) -> int:
        """All outcomes."""
        return self.accepted + self.refused + self.not_taken + self.unknown


class TrafficCount:
    """A ring of one counter a second: memory does not grow with the load."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds on a monotonic clock."""
        self._clock = clock
        self._seconds: deque[tuple[int, Counter[tuple[OutcomeKind, str | None]]]] = deque()

    def count(self, outcome: Outcome) -> None:
        """Adds an outcome."""
        second = int(self._clock())
        if not self._seconds or self._seconds[-1][0] != second:
            self._forget(second)
            self._seconds.append((second, Counter()))
        self._seconds[-1][1][outcome.kind, outcome.error_code] += 1

    def last_minute(self) -> Traffic:
        """What was counted in the last minute."""
        self._forget(int(self._clock()))
        total: Counter[tuple[OutcomeKind, str | None]] = Counter()
        for _, counted in self._seconds:
            total.update(counted)
        kinds: Counter[OutcomeKind] = Counter()
        codes: Counter[str] = Counter()
        for (kind, code), number in total.items():
            kinds[kind] += number
            if code is not None:
                codes[code] += number
        return Traffic(
            accepted=kinds[OutcomeKind.ACCEPTED],
            refused=kinds[OutcomeKind.REFUSED],
            not_taken=kinds[OutcomeKind.NOT_TAKEN],
            unknown=kinds[OutcomeKind.UNKNOWN],
            codes=tuple(codes.most_common()),
        )

    def _forget(self, second: int) -> None:
        while self._seconds and self._seconds[0][0] <= second - WINDOW_S:
            self._seconds.popleft()
