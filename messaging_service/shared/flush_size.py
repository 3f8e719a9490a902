"""How many items a flush may have: as many as wait, but few enough that none of them waits for long."""

from __future__ import annotations

from typing import Final

STEP: Final = 16
"""Items that a quick and full flush adds to the next."""
PATIENCE: Final = 1.5
"""A flush of more items may take this many times as long as one of the floor."""
MEMORY: Final = 0.8
"""Weight of what was known of small flushes when another one ends."""


class FlushSize:
    """Adds a little after a quick flush that was full, halves after one that took too long (AIMD).

    Only size is to blame for what size changes: what even a flush of the floor takes, as the database commits
    slowly, is no reason to make all flushes small, which would cost throughput and gain nothing.
    """

    def __init__(self, floor: int, ceiling: int, target_s: float) -> None:
        """Between `floor` and `ceiling` items, with `target_s` as the longest time that a flush should take.

        Begins at the ceiling, so that a burst at the start is not held up. With both the same, it is fixed.
        """
        if not 1 <= floor <= ceiling:
            raise ValueError("a flush has at least one item, and its floor is not above its ceiling")
        self._floor = floor
        self._ceiling = ceiling
        self._target_s = target_s
        self._small_s: float | None = None
        self.limit = ceiling
        """Items that the next flush may have."""

    def flushed(self, items: int, took_s: float) -> None:
        """Learns from a flush that succeeded; one that failed says nothing about its size."""
        if items <= self._floor:
            self._small_s = took_s if self._small_s is None else MEMORY * self._small_s + (1 - MEMORY) * took_s
        if took_s > self._allowed_s:
            if items > self._floor:
                self.limit = max(self._floor, items // 2)
        elif items >= self.limit:
            self.limit = min(self._ceiling, self.limit + STEP)

    @property
    def _allowed_s(self) -> float:
        return self._target_s if self._small_s is None else max(self._target_s, PATIENCE * self._small_s)
