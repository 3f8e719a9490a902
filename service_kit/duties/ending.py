"""Ends tasks and processes for certain."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Collection
from typing import Any

AGAIN_AFTER_S = 1.0
FAILURE_EXIT = 1


async def end_tasks(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancels tasks, again and again, until each has ended; what they raised is left to those that await them.

    One cancellation is not enough: it is lost where it meets the very moment at which what the task waited for is
    there (`asyncio.wait_for` before Python 3.12 returns the result then, and a pool of connections is built on it). A
    duty that goes on for ever would keep its process from stopping.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=AGAIN_AFTER_S)


class SharedTime:
    """Seconds that the steps of an end share; they run from the first question on."""

    def __init__(self, seconds: float, *, least_s: float) -> None:
        """`least_s`: what a step gets also when those before it have used up the time."""
        self._seconds = seconds
        self._least_s = least_s
        self._end: float | None = None

    @property
    def left_s(self) -> float:
        """What the next step may take."""
        now = asyncio.get_running_loop().time()
        if self._end is None:
            self._end = now + self._seconds
        return max(self._least_s, self._end - now)


def exit_after(seconds: float, say: Callable[[], None]) -> None:
    """Ends this process hard if it still runs then, whatever it waits for; `say` logs the reason just before."""

    def end() -> None:
        try:
            say()
        finally:
            os._exit(FAILURE_EXIT)

    watch = threading.Timer(seconds, end)
    # The process ends as soon as it can; this thread does not hold it up.
    watch.daemon = True
    watch.start()
