"""The port to the traffic on record."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Protocol

from messaging_service.reports.domain.cost_audit import PricedEntry
from messaging_service.reports.domain.cost_rehearsal import Traffic


class TrafficRecords(Protocol):
    """Reads what was sent; raises ServiceError DATABASE_UNAVAILABLE. Periods are half-open, by creation."""

    def entries(
        self, start: datetime, end: datetime, account_id: str | None
    ) -> AsyncGenerator[Sequence[PricedEntry], None]:
        """Every entry of a period, of one account or of all, oldest first, by pages."""
        ...

    async def charged(self, start: datetime, end: datetime, limit: int) -> Sequence[Traffic]:
        """The charged messages of a period, summed by account and app; `limit`: most sums."""
        ...

    async def charged_between(
        self, start: datetime, end: datetime, cuts: Sequence[tuple[Traffic, Sequence[datetime]]]
    ) -> Sequence[Sequence[Traffic]]:
        """The same traffic cut at instants: for each item as many sums as it has cuts, some perhaps of nothing.

        The cuts of an item are sorted and begin with its first instant; a sum holds the messages priced for an
        instant from its cut on and before the next one.
        """
        ...
