"""Spreads submits evenly over time, up to what the carrier allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

GUST_S: Final = 0.02
"""Submits of this many seconds may go at once: timers are no finer than a millisecond, and one submit a timer
would cost more than the submit."""


class RateLimit:
    """A bucket of tokens, one for each submit.

    `freed` is called when a token is there again after `ready` was 0.
    """

    def __init__(self, per_s: float, freed: Callable[[], None]) -> None:
        self._per_s = per_s
        self._freed = freed
        self._tokens = self._most
        self._counted_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def per_s(self) -> float:
        """Tokens a second; 0 for no limit."""
        return self._per_s

    @property
    def is_exhausted(self) -> bool:
        """Whether somebody waits to be called when a token is there."""
        return self._timer is not None

    @property
    def ready(self) -> int | None:
        """Submits that may go now; None for any number. Asks to be called when the answer is 0."""
        if not self._per_s:
            return None
        self._count()
        ready = int(self._tokens)
        if ready <= 0:
            self._watch()
            return 0
        return ready

    def change(self, per_s: float) -> None:
        """Another limit from now on; 0 for none."""
        if per_s == self._per_s:
            return
        if self._per_s:
            self._count()
        self._per_s = per_s
        self._tokens = min(self._tokens, self._most)
        self._counted_at = asyncio.get_running_loop().time()
        self.stop()
        self._freed()

    def take(self) -> None:
        """Uses a token, also one that is not there yet."""
        if self._per_s:
            self._count()
            self._tokens -= 1

    def give_back(self) -> None:
        """Puts a token back that served no submit."""
        if self._per_s:
            self._tokens = min(self._most, self._tokens + 1)

    async def turn(self) -> None:
        """Uses a token, and waits until it is there; those who wait are served in order."""
        if not self._per_s:
            return
        self.take()
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / self._per_s)

    def stop(self) -> None:
        """Calls nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _most(self) -> float:
        return max(1.0, self._per_s * GUST_S)

    def _count(self) -> None:
        now = asyncio.get_running_loop().time()
        self._tokens = min(self._most, self._tokens + (now - self._counted_at) * self._per_s)
        self._counted_at = now

    def _watch(self) -> None:
        if self._timer is None:
            wait_s = (1 - self._tokens) / self._per_s
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._tell)

    def _tell(self) -> None:
        self._timer = None
        self._freed()
