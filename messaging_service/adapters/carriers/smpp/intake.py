"""Stores receipts before they are acknowledged, many at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

import structlog

from messaging_service.adapters.carriers.smpp.session import Session
from messaging_service.adapters.carriers.smpp.status import OK, Status
from messaging_service.domain.submission import DeliveryReceipt
from messaging_service.use_cases.carrier import ReceiptSink

log = structlog.get_logger()

MAX_BATCH: Final = 500
MAX_WAITING: Final = 10_000
"""Receipts held for the sink; further ones are answered with "later" at once."""
GATHER_S: Final = 0.02
"""How long a receipt waits for company. Nobody waits for receipts, and each transaction costs the same
however many it stores."""


class ReceiptIntake:
    """Hands receipts to the sink; those that come while it works go together in its next call."""

    def __init__(self, carrier: str, sink: ReceiptSink, timeout_s: float) -> None:
        self._carrier = carrier
        self._sink = sink
        self._timeout_s = timeout_s
        self._waiting: deque[tuple[Session, int, DeliveryReceipt]] = deque()
        self._work: asyncio.Task[None] | None = None
        self._is_open = True

    def open(self) -> None:
        """Takes receipts again after a drain."""
        self._is_open = True

    def put(self, session: Session, sequence: int, receipt: DeliveryReceipt) -> None:
        """Takes a receipt; the session gets to acknowledge it when the sink is through with it."""
        if not self._is_open or len(self._waiting) >= MAX_WAITING:
            session.acknowledge(sequence, Status.ESME_RX_T_APPN)
            return
        self._waiting.append((session, sequence, receipt))
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._store())
            self._work.add_done_callback(self._finished)

    async def drain(self, timeout_s: float) -> None:
        """Takes no more, and waits until the sink is through; what is left, the carrier brings again."""
        self._is_open = False
        if self._work is not None:
            _, late = await asyncio.wait((self._work,), timeout=timeout_s)
            for task in late:
                task.cancel()
                await asyncio.wait((task,), timeout=timeout_s)
        self._waiting.clear()

    async def _store(self) -> None:
        while self._waiting:
            if self._is_open and len(self._waiting) < MAX_BATCH:
                await asyncio.sleep(GATHER_S)
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH))]
            status = await self._store_batch([receipt for _, _, receipt in batch])
            for session, sequence, _ in batch:
                session.acknowledge(sequence, status)

    async def _store_batch(self, receipts: list[DeliveryReceipt]) -> int:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._sink(receipts)
        except Exception as error:  # noqa: BLE001 - whatever fails, the carrier keeps the receipt
            log.warning(
                "smpp.receipts_not_stored",
                carrier=self._carrier,
                receipts=len(receipts),
                error=type(error).__name__,
            )
            return Status.ESME_RX_T_APPN
        return OK

    def _finished(self, _: asyncio.Task[None]) -> None:
        self._work = None
        if self._waiting:
            session, sequence, receipt = self._waiting.popleft()
            self.put(session, sequence, receipt)
