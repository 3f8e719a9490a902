"""Receipts that carriers brought, and how many found their message."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Sequence

from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry
from typing_extensions import override

from messaging_service.accounts.metrics.money_metrics import SettledMoney
from messaging_service.carriers.domain.submission import DeliveryReceipt, ReceiptState
from messaging_service.receipts.receipt_inbox import ReceiptInbox, Worked
from messaging_service.shared.domain.money import to_micros


class CountedInbox(ReceiptInbox):
    """Implements ReceiptInbox by another one; counts what was stored and what was matched."""

    def __init__(
        self, inbox: ReceiptInbox, settled: SettledMoney, registry: CollectorRegistry, carriers: Iterable[str]
    ) -> None:
        """`carriers`: shown from the start with a nought, so that the first receipt of a kind is a rise."""
        self._inbox = inbox
        self._settled = settled
        self._stored = Counter(
            "tukupay_receipts_stored",
            "Receipts taken from carriers and stored.",
            ("carrier", "state"),
            registry=registry,
        )
        for carrier in carriers:
            for state in ReceiptState:
                self._stored.labels(carrier, state.value)
        self._looked_at = Counter(
            "tukupay_receipts_looked_at", "Receipts looked at, one that found no message each time.", registry=registry
        )
        self._matched = Counter("tukupay_receipts_matched", "Receipts that found their message.", registry=registry)

    @override
    async def store(self, receipts: Sequence[DeliveryReceipt]) -> None:
        await self._inbox.store(receipts)
        stored = Tally((receipt.carrier, receipt.state.value) for receipt in receipts)
        for (carrier, state), number in stored.items():
            self._stored.labels(carrier, state).inc(number)

    @override
    async def work(self, limit: int) -> Worked:
        worked = await self._inbox.work(limit)
        self._looked_at.inc(worked.looked_at)
        self._matched.inc(worked.matched)
        self._settled.add("receipt", {billing: to_micros(amount) for billing, amount in worked.money.items()})
        return worked

    @override
    async def postpone_next(self) -> None:
        await self._inbox.postpone_next()
