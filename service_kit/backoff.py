"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

RANDOM: Final = secrets.SystemRandom()

_MAX_DOUBLINGS: Final = 30


def backoff_s(attempt: int, shortest_s: float, longest_s: float, draw: Callable[[], float] = RANDOM.random) -> float:
    """Seconds to wait after this many failed attempts in a row (from 1).

    Equal jitter: between half of a bound and all of it, so that the clients of something that comes back do not all
    call at once. The bound is twice `shortest_s`, so that no wait is shorter than `shortest_s`, and doubles up to
    `longest_s`. `draw` gives a number from 0 to 1.
    """
    doublings = min(attempt, _MAX_DOUBLINGS)
    bound_s = min(longest_s, shortest_s * 2.0**doublings)
    least_s = max(shortest_s, bound_s / 2)
    return least_s + draw() * (bound_s - least_s)
