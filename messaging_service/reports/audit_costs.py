"""Compares the prices on record with what the price book says."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from messaging_service.prices.domain.book_prices import BookQuestion
from messaging_service.prices.price_book_port import PriceBook
from messaging_service.reports.domain.cost_audit import AuditTotals, CostException, PricedEntry
from messaging_service.reports.price_cells import PriceCells
from messaging_service.reports.report_costs import period_faults
from messaging_service.reports.traffic import TrafficRecords
from service_kit.errors import invalid


@dataclass(frozen=True, slots=True)
class AuditCosts:
    """The use case behind AuditCosts."""

    traffic: TrafficRecords
    book: PriceBook

    async def __call__(
        self, start: datetime, end: datetime, account_id: str | None
    ) -> AsyncGenerator[Sequence[CostException] | AuditTotals, None]:
        """The exceptions of a period oldest first, some at a time, and the totals last.

        Memory does not grow with the period. Raises ServiceError INVALID, PRICING_UNAVAILABLE or
        DATABASE_UNAVAILABLE.
        """
        if found := period_faults(start, end, account_id):
            raise invalid(found)
        totals = AuditTotals()
        # One instant stands for "now" in the whole audit, so that a change in its midst counts for all or none.
        present = await self.book.present()
        cells = PriceCells(self.book)
        async with aclosing(self.traffic.entries(start, end, account_id)) as pages:
            async for page in pages:
                questions = [question for entry in page for question in _questions(entry, present)]
                prices = await cells.prices(questions)
                exceptions: list[CostException] = []
                for entry, then, now in zip(page, prices[::2], prices[1::2], strict=True):
                    exception = totals.add(entry, then, now)
                    if exception is not None:
                        exceptions.append(exception)
                if exceptions:
                    yield exceptions
        yield totals


def _questions(entry: PricedEntry, present: datetime) -> tuple[BookQuestion, BookQuestion]:
    at = entry.price_instant
    # Where it is not on record what the book had, the clock of another database stands for it, which may be a
    # little ahead; and nobody knows what the book will be known as.
    then = min(entry.known_at, present)
    return (
        BookQuestion(entry.account_id, entry.app_id, at, then),
        BookQuestion(entry.account_id, entry.app_id, at, present),
    )
