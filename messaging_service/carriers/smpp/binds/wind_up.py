"""The end of a session that either side has announced: no new submits, and what is under way is finished."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class WindUp:
    """Calls `leave` once when a session that winds up has nothing outstanding, or when the time for that is over.

    `is_idle` says whether nothing is outstanding. A session asks `look` whenever that may have become true.
    """

    def __init__(self, timeout_s: float, is_idle: Callable[[], bool], leave: Callable[[], None]) -> None:
        self._timeout_s = timeout_s
        self._is_idle = is_idle
        self._leave = leave
        self._timer: asyncio.TimerHandle | None = None
        self.reason: str | None = None
        """Why the session ends; None while it does not."""

    def begin(self, reason: str) -> None:
        """Nothing new from now on; the first reason stays."""
        if self.reason is None:
            self.reason = reason
            self._timer = asyncio.get_running_loop().call_later(self._timeout_s, self._end)
        self.look()

    def look(self) -> None:
        """Leaves if the session winds up and nothing is outstanding."""
        if self._timer is not None and self._is_idle():
            self._end()

    def stop(self) -> None:
        """The link is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self.stop()
        self._leave()
