"""Forgets what has done its work: receipts, alerts."""

from __future__ import annotations

import asyncio
from typing import Protocol

from messaging_service.use_cases.upkeep import UpkeepLog
from service_kit.errors import ServiceError

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

    def __init__(self, archive: Archive, log: UpkeepLog, *, duty: str, keep_s: float, every_s: float = EVERY_S) -> None:
        """`duty`: its name in logs and metrics. `keep_s`: how long a row is kept; 0 for ever."""
        self._archive = archive
        self._log = log
        self._duty = duty
        self._keep_s = keep_s
        self._every_s = every_s

    async def run(self) -> None:
        """Runs until cancelled."""
        if self._keep_s <= 0:
            return
        while True:
            is_more = await self._step()
            await asyncio.sleep(STEP_PAUSE_S if is_more else self._every_s)

    async def _step(self) -> bool:
        """Whether there may be more to delete at once."""
        try:
            return await self._archive.forget(self._keep_s, STEP) == STEP
        except ServiceError as error:
            self._log.upkeep_failed(self._duty, error.reason)
        except Exception as error:  # noqa: BLE001 - a duty that ends would take the whole service with it
            self._log.upkeep_crashed(self._duty, error)
        return False
