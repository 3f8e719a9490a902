"""Forgets what has done its work: receipts, alerts."""

from __future__ import annotations

import asyncio
from typing import Protocol

from service_kit.duties.duty import Duty, DutyLog

STEP = 1_000
"""Rows of one transaction: few enough that nobody waits for its locks."""
STEP_PAUSE_S = 0.1
EVERY_S = 60.0


class Archive(Protocol):
    """A store that does not grow for ever."""

    async def forget(self, keep_s: float, limit: int) -> int:
        """Deletes the oldest rows that ended longer ago than `keep_s` and wait for nothing; how many.

        Looks at `limit` rows at most. Raises ServiceError DATABASE_UNAVAILABLE.
        """
        ...


class Retention:
    """Deletes what is old in small steps."""

    def __init__(self, archive: Archive, log: DutyLog, *, duty: str, keep_s: float, every_s: float = EVERY_S) -> None:
        """`duty`: its name in logs and metrics. `keep_s`: how long a row is kept; 0 for ever."""
        self._archive = archive
        self._keep_s = keep_s
        self._duty = Duty(duty, self._step, log, every_s=every_s)

    async def run(self) -> None:
        """Runs until cancelled; does nothing where rows are kept for ever."""
        if self._keep_s <= 0:
            await asyncio.get_running_loop().create_future()
        await self._duty.run()

    async def _step(self) -> float | None:
        return STEP_PAUSE_S if await self._archive.forget(self._keep_s, STEP) == STEP else None
