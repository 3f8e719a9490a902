"""Forgets receipts that have done their work."""

from __future__ import annotations

import asyncio

from messaging_service.use_cases.receipt_inbox import ReceiptArchive
from messaging_service.use_cases.upkeep import UpkeepLog
from service_kit.errors import ServiceError

STEP = 1_000
"""Receipts of one transaction: short enough that nobody waits for its locks."""
STEP_PAUSE_S = 0.1
EVERY_S = 60.0


class ReceiptRetention:
    """Deletes old receipts in small steps; those that still wait for their message stay."""

    def __init__(self, archive: ReceiptArchive, log: UpkeepLog, *, keep_s: float, every_s: float = EVERY_S) -> None:
        """`keep_s`: how long a receipt is kept after it came; 0 for ever."""
        self._archive = archive
        self._log = log
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
            self._log.upkeep_failed("receipt retention", error.reason)
        except Exception as error:  # noqa: BLE001 - a duty that ends would take the whole service with it
            self._log.upkeep_crashed("receipt retention", error)
        return False
