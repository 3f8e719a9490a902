"""The two background duties besides dispatch: ending what lapsed, and applying receipts."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Protocol

from messaging_service.carriers.domain.submission import DeliveryReceipt
from messaging_service.receipts.receipt_inbox import ReceiptInbox
from messaging_service.sending.outbox import Outbox, Swept
from service_kit.duties.duty import Duty, DutyLog
from service_kit.errors import ServiceError


class UpkeepLog(DutyLog, Protocol):
    """Where upkeep reports what an operator should see."""

    def swept(self, swept: Swept) -> None:
        """Rows were ended that nobody ended in time."""
        ...

    def rerouted(self, messages: int) -> None:
        """Due messages of routes that are gone went to the default route."""
        ...


class Sweeper:
    """Turns lapsed leases into unknown outcomes, and what was open for too long into expired messages."""

    def __init__(self, outbox: Outbox, log: UpkeepLog, *, routes: Collection[str], every_s: float) -> None:
        """`routes`: names of those that this process serves."""
        self._routes = routes
        self._outbox = outbox
        self._log = log
        self._duty = Duty("sweep", self._sweep, log, every_s=every_s)

    async def run(self) -> None:
        """Runs until cancelled; the first pass comes at once, for what a dead process left behind."""
        await self._duty.run()

    async def _sweep(self) -> float | None:
        swept = await self._outbox.sweep()
        if swept.orphaned or swept.expired or swept.resent:
            self._log.swept(swept)
        rerouted = await self._outbox.reroute(self._routes)
        if rerouted:
            self._log.rerouted(rerouted)
        return 0 if swept.more else None


class ReceiptProcessor:
    """Takes receipts from carriers into the inbox, and works the inbox."""

    def __init__(
        self, inbox: ReceiptInbox, log: UpkeepLog, *, poll_s: float, gather_s: float = 0.1, max_batch: int = 500
    ) -> None:
        """Sets how often the inbox is worked.

        `poll_s`: longest time between two looks at the inbox, where unmatched receipts wait for their turn.
        `gather_s`: how long a look waits after a receipt was stored, so that others go with it.
        """
        self._inbox = inbox
        self._gather_s = gather_s
        self._max_batch = max_batch
        self._limit = max_batch
        self._is_woken = False
        self._duty = Duty("receipts", self._work, log, every_s=poll_s)

    async def take(self, receipts: Sequence[DeliveryReceipt]) -> None:
        """Stores receipts durably; the ReceiptSink of carriers."""
        await self._inbox.store(receipts)
        self._is_woken = True
        self._duty.wake()

    async def run(self) -> None:
        """Runs until cancelled."""
        await self._duty.run()

    async def _work(self) -> float | None:
        if self._is_woken:
            # Others that come meanwhile go with it.
            await asyncio.sleep(self._gather_s)
            self._is_woken = False
        limit = self._limit
        try:
            worked = await self._inbox.work(limit)
        except ServiceError:
            raise
        except Exception:
            # One receipt that cannot be worked must not hold up those behind it: it is found, and waits longer.
            self._limit = 1
            if limit == 1:
                await self._inbox.postpone_next()
            raise
        self._limit = self._max_batch
        if worked.looked_at == limit:
            self._is_woken = False
            return 0
        return None
