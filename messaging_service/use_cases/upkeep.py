"""The two background duties besides dispatch: ending what lapsed, and applying receipts."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Protocol

from messaging_service.domain.submission import DeliveryReceipt
from messaging_service.use_cases.outbox import Outbox, Swept
from messaging_service.use_cases.receipt_inbox import ReceiptInbox
from service_kit.errors import ServiceError


class UpkeepLog(Protocol):
    """Where upkeep reports what an operator should see."""

    def swept(self, swept: Swept) -> None:
        """Rows were ended that nobody ended in time."""
        ...

    def rerouted(self, messages: int) -> None:
        """Due messages of routes that are gone went to the default route."""
        ...

    def upkeep_failed(self, duty: str, reason: str) -> None:
        """A pass failed; the next one tries again."""
        ...

    def upkeep_crashed(self, duty: str, error: Exception) -> None:
        """A pass failed with an error that nothing foresaw; the next one tries again."""
        ...


class Sweeper:
    """Turns lapsed leases into unknown outcomes, and what was open for too long into expired messages."""

    def __init__(self, outbox: Outbox, log: UpkeepLog, *, routes: Collection[str], every_s: float) -> None:
        """`routes`: names of those that this process serves."""
        self._routes = routes
        self._outbox = outbox
        self._log = log
        self._every_s = every_s

    async def run(self) -> None:
        """Runs until cancelled; the first pass comes at once, for what a dead process left behind."""
        while True:
            try:
                swept = await self._outbox.sweep()
                rerouted = await self._outbox.reroute(self._routes)
            except ServiceError as error:
                self._log.upkeep_failed("sweep", error.reason)
            except Exception as error:  # noqa: BLE001 - a duty that ends would take the whole service with it
                self._log.upkeep_crashed("sweep", error)
            else:
                if swept.orphaned or swept.expired or swept.resent:
                    self._log.swept(swept)
                if rerouted:
                    self._log.rerouted(rerouted)
                if swept.more:
                    continue
            await asyncio.sleep(self._every_s)


class ReceiptDesk:
    """Takes receipts from carriers into the inbox, and works the inbox."""

    def __init__(
        self, inbox: ReceiptInbox, log: UpkeepLog, *, poll_s: float, gather_s: float = 0.1, max_batch: int = 500
    ) -> None:
        """Sets how often the inbox is worked.

        `poll_s`: longest time between two looks at the inbox, where unmatched receipts wait for their turn.
        `gather_s`: how long a look waits after a receipt was stored, so that others go with it.
        """
        self._inbox = inbox
        self._log = log
        self._poll_s = poll_s
        self._gather_s = gather_s
        self._max_batch = max_batch
        self._wake = asyncio.Event()

    async def take(self, receipts: Sequence[DeliveryReceipt]) -> None:
        """Stores receipts durably; the ReceiptSink of carriers."""
        await self._inbox.store(receipts)
        self._wake.set()

    async def run(self) -> None:
        """Runs until cancelled."""
        limit = self._max_batch
        while True:
            self._wake.clear()
            try:
                worked = await self._inbox.work(limit)
            except ServiceError as error:
                self._log.upkeep_failed("receipts", error.reason)
            except Exception as error:  # noqa: BLE001 - a duty that ends would take the whole service with it
                self._log.upkeep_crashed("receipts", error)
                if await self._isolate(limit):
                    limit = 1
                    continue
            else:
                was_full, limit = worked.looked_at == limit, self._max_batch
                if was_full:
                    continue
            try:
                async with asyncio.timeout(self._poll_s):
                    await self._wake.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(self._gather_s)

    async def _isolate(self, limit: int) -> bool:
        """Keeps one receipt that cannot be worked from holding up those behind it; whether to go on at once."""
        if limit > 1:
            return True
        try:
            await self._inbox.postpone_next()
        except ServiceError as error:
            self._log.upkeep_failed("receipts", error.reason)
        return False
