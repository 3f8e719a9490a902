"""What sends charge, release and refund."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry

from messaging_service.shared.domain.states import Billing

_MOVED: Final = (Billing.CHARGED, Billing.RELEASED, Billing.REFUNDED)


class SettledMoney:
    """Counts money when it moves, in the process that moved it; the ledger stays the record."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = Counter(
            "tukupay_settled_micros",
            "Millionths of a KES that attempts and receipts moved.",
            ("by", "billing"),
            registry=registry,
        )
        self._by = {by: {each: counter.labels(by, each.value) for each in _MOVED} for by in ("attempt", "receipt")}

    def add(self, by: str, micros: Mapping[Billing, int]) -> None:
        """Money that moved by an `attempt` or a `receipt`; what is only held did not."""
        counters = self._by[by]
        for billing, amount in micros.items():
            if amount and billing in counters:
                counters[billing].inc(amount)
