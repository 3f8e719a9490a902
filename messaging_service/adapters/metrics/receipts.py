"""Receipts that carriers brought, and how many found their message."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry

from messaging_service.domain.submission import DeliveryReceipt
from messaging_service.use_cases.receipt_inbox import ReceiptInbox, Worked


class CountedInbox:
    """Implements ReceiptInbox by another one; counts what was stored and what was matched."""

    def __init__(self, inbox: ReceiptInbox, registry: CollectorRegistry) -> None:
        self._inbox = inbox
        self._stored = Counter(
            "tukupay_receipts_stored",
            "Receipts taken from carriers and stored.",
            ("carrier", "state"),
            registry=registry,
        )
        self._looked_at = Counter(
            "tukupay_receipts_looked_at", "Receipts looked at, one that found no message each time.", registry=registry
        )
        self._matched = Counter("tukupay_receipts_matched", "Receipts that found their message.", registry=registry)

    async def store(self, receipts: Sequence[DeliveryReceipt]) -> None:
        """See ReceiptInbox.store."""
        await self._inbox.store(receipts)
        for receipt in receipts:
            self._stored.labels(receipt.carrier, receipt.state.value).inc()

    async def work(self, limit: int) -> Worked:
        """See ReceiptInbox.work."""
        worked = await self._inbox.work(limit)
        self._looked_at.inc(worked.looked_at)
        self._matched.inc(worked.matched)
        return worked

    async def postpone_next(self) -> None:
        """See ReceiptInbox.postpone_next."""
        await self._inbox.postpone_next()
