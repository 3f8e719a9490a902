"""How long to wait before a carrier is tried again."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

RANDOM: Final = secrets.SystemRandom()

_MAX_DOUBLINGS: Final = 30


def backoff_s(attempt: int, shortest_s: float, longest_s: float, draw: Callable[[], float] = RANDOM.random) -> float:
    """Seconds to wait after this many failed attempts in a row (from 1).

    Full jitter: anywhere between nothing and the bound, so that the clients of a carrier that comes back
    do not all knock at once. The bound is `shortest_s` and doubles up to `longest_s`. `draw` gives a number
    from 0 to 1.
    """
    doublings = min(attempt - 1, _MAX_DOUBLINGS)
    return draw() * min(longest_s, shortest_s * 2.0**doublings)
