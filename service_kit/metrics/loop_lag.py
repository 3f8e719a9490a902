"""How late the event loop of a process comes to what is due: everything that it serves waits for as long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from prometheus_client import Histogram
from prometheus_client.registry import CollectorRegistry

EVERY_S: Final = 0.1
"""Between two looks, each of which costs some microseconds."""
_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class LoopLag:
    """A timer that measures how late it is called, again and again."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.perf_counter) -> None:
        """`clock`: seconds, monotonic."""
        self._clock = clock
        self._registry = registry
        self._lag = Histogram(
            "tukupay_event_loop_lag_seconds",
            "How late a timer of the event loop was called, which is due ten times a second.",
            registry=registry,
            buckets=_BUCKETS_S,
        )
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self) -> None:
        """Measures the running loop until `stop`."""
        self._due = self._clock() + EVERY_S
        self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._look)

    def stop(self) -> None:
        """Measures no more, and takes the figures out of the registry."""
        if self._timer is not None:
            self._timer.cancel()
        self._registry.unregister(self._lag)

    def _look(self) -> None:
        # Timers have the resolution of a millisecond, and may be early by a part of one.
        self._lag.observe(max(0.0, self._clock() - self._due))
        self.start()
