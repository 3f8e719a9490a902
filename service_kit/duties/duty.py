"""Work that goes on for as long as its process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from service_kit.backoff import backoff_s
from service_kit.errors import ServiceError

SHORTEST_PAUSE_S: Final = 0.05
"""After a first failure it is this to twice as long; it doubles with each further one."""
LONGEST_PAUSE_S: Final = 1.0
"""Between failures that were foreseen, unless the interval is longer: what was away is found again soon."""
LONGEST_CRASH_PAUSE_S: Final = 5.0
"""The same for failures that nobody foresaw."""


class DutyLog(Protocol):
    """Where duties report what an operator should see, and where their failures are counted."""

    def upkeep_failed(self, duty: str, error: ServiceError) -> None:
        """A pass failed; the next one tries again."""
        ...

    def upkeep_crashed(self, duty: str, error: Exception) -> None:
        """A pass failed with an error that nothing foresaw; the next one tries again."""
        ...


class Duty:
    """Passes, one after another, until cancelled or stopped; one that fails is reported, and tried again later."""

    def __init__(
        self, name: str, one_pass: Callable[[], Awaitable[float | None]], log: DutyLog, *, every_s: float
    ) -> None:
        """`name`: in logs and metrics. `one_pass` gives the seconds to the next one: None for `every_s`, 0 for at once.

        `every_s`: seconds between two passes.
        """
        self.name: Final = name
        self._pass = one_pass
        self._log = log
        self._every_s = every_s
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self.failures = 0
        """Passes that failed since the last one that did not."""

    def wake(self) -> None:
        """Makes the next pass come at once; after a failure, when its pause is over."""
        self._wake.set()

    def stop(self) -> None:
        """Ends `run` after the pass that is under way, which is not cut off."""
        self._stop.set()
        self._wake.set()

    async def run(self) -> None:
        """Runs until cancelled or stopped; the first pass comes at once."""
        while not self._stop.is_set():
            self._wake.clear()
            pause_s = await self._guarded()
            # What wakes a duty does not know that it fails: it would spin.
            await _happens(self._stop if self.failures else self._wake, pause_s)

    async def _guarded(self) -> float:
        """Makes a pass; the pause after it."""
        longest_s = LONGEST_PAUSE_S
        try:
            pause_s = await self._pass()
        except ServiceError as error:
            self._log.upkeep_failed(self.name, error)
        except Exception as error:  # noqa: BLE001 - a duty that ends would take the whole service with it
            self._log.upkeep_crashed(self.name, error)
            longest_s = LONGEST_CRASH_PAUSE_S
        else:
            self.failures = 0
            return self._every_s if pause_s is None else pause_s
        self.failures += 1
        return backoff_s(self.failures, SHORTEST_PAUSE_S, max(self._every_s, longest_s))


async def _happens(event: asyncio.Event, within_s: float) -> None:
    """Returns when the event is set or the time is over; always lets others run."""
    if within_s <= 0:
        await asyncio.sleep(0)
        return
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return
