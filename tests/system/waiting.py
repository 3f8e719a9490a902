"""Waiting for what comes about in another process, with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_S = 20.0
_LOOK_EVERY_S = 0.02


def until(what: str, look: Callable[[], T], deadline_s: float = DEADLINE_S) -> T:
    """The first result of `look` that counts as true; fails, and shows the last one, when none does in time."""
    end = time.monotonic() + deadline_s
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() >= end:
            raise AssertionError(f"after {deadline_s:g} s still not: {what}; last seen {seen!r}")
        time.sleep(_LOOK_EVERY_S)


async def eventually(what: str, look: Callable[[], Awaitable[T]], deadline_s: float = DEADLINE_S) -> T:
    """As `until`, for a look that is awaited; it leaves the processor to what is looked at."""
    end = time.monotonic() + deadline_s
    while True:
        seen = await look()
        if seen:
            return seen
        if time.monotonic() >= end:
            raise AssertionError(f"after {deadline_s:g} s still not: {what}; last seen {seen!r}")
        await asyncio.sleep(_LOOK_EVERY_S / 4)
