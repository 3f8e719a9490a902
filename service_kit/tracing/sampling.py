"""Which requests are traced: some that begin here, and those of callers who trace; never more than so many a second."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from service_kit.tracing.trace_context import TraceContext, from_traceparent


class Sampling:
    """Decides once for each request, where it comes in."""

    def __init__(
        self,
        ratio: float,
        most_per_s: int,
        *,
        limited: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`ratio`: the part of requests that are traced although nobody asked for it, 0 to 1.

        `most_per_s`: most requests that are traced in a second, and at once; more are not, and `limited` is called for
        each. `clock`: seconds, monotonic. `draw` gives a number from 0 up to 1.
        """
        self._ratio = ratio
        self._most = float(most_per_s)
        self._limited = limited
        self._clock = clock
        self._draw = draw
        self._left = self._most
        self._since = clock()

    def samples(self) -> bool:
        """Whether a request that comes without a trace is traced from here on."""
        return self._ratio > 0.0 and self._draw() < self._ratio and self._has_room()

    def followed(self, traceparent: str | bytes | None) -> TraceContext | None:
        """The sampled span that a caller names; None for none, and for one too many."""
        context = from_traceparent(traceparent)
        return context if context is not None and self._has_room() else None

    def _has_room(self) -> bool:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._since) * self._most)
        self._since = now
        if self._left < 1:
            self._limited()
            return False
        self._left -= 1
        return True
