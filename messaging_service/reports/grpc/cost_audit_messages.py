"""AuditCosts, from and to generated messages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from itertools import islice

from messaging_service.prices.domain.book_prices import BookPrice
from messaging_service.reports.audit_costs import AuditCosts
from messaging_service.reports.domain.cost_audit import AuditTotals, Cause, CostException
from messaging_service.shared.domain.message import outbox_id
from messaging_service.shared.domain.money import to_micros
from messaging_service.shared.grpc import wire
from tukupay.sms.messaging.v1 import reports_pb2 as pb

MAX_TOGETHER = 500
"""Exceptions in one message."""

CAUSES: Mapping[Cause, pb.CostExceptionCause.ValueType] = {
    Cause.LATE_ENTRY: pb.COST_EXCEPTION_CAUSE_LATE_ENTRY,
    Cause.REVISED_AFTER: pb.COST_EXCEPTION_CAUSE_REVISED_AFTER,
    Cause.STALE_PRICE: pb.COST_EXCEPTION_CAUSE_STALE_PRICE,
    Cause.WITHDRAWN: pb.COST_EXCEPTION_CAUSE_WITHDRAWN,
    Cause.MISSING_ROW: pb.COST_EXCEPTION_CAUSE_MISSING_ROW,
    Cause.MISPRICED: pb.COST_EXCEPTION_CAUSE_MISPRICED,
}


async def audit_costs(audit: AuditCosts, request: pb.AuditCostsRequest) -> AsyncGenerator[pb.AuditCostsResponse, None]:
    """Answers the call."""
    start, end = wire.to_period(request)
    account_id = request.user_id if request.HasField("user_id") else None
    async with aclosing(audit(start, end, account_id)) as news:
        async for found in news:
            if isinstance(found, AuditTotals):
                yield pb.AuditCostsResponse(totals=_from_totals(found))
                continue
            remaining = iter(found)
            while together := [_from_exception(each) for each in islice(remaining, MAX_TOGETHER)]:
                yield pb.AuditCostsResponse(exceptions=together)


def _from_exception(exception: CostException) -> pb.CostException:
    entry = exception.entry
    return pb.CostException(
        outbox_id=outbox_id(entry.id),
        user_id=entry.account_id,
        created_time=wire.from_instant(entry.created_at),
        units=entry.units,
        recorded_micros=to_micros(entry.price.unit_price),
        recorded_cost_id=entry.price.cost_id,
        known_then_micros=_micros(exception.then),
        known_now_micros=_micros(exception.now),
        cause=CAUSES[exception.cause],
        priced_time=wire.from_instant(entry.price_instant),
        price_known_time=wire.from_instant(entry.known_at),
        approximate=not entry.is_exact,
    )


def _micros(book: BookPrice | None) -> int | None:
    return None if book is None else to_micros(book.price.unit_price)


def _from_totals(totals: AuditTotals) -> pb.AuditTotals:
    return pb.AuditTotals(
        entries=totals.entries,
        as_known_then=totals.as_known_then,
        as_known_now=totals.as_known_now,
        exceptions=totals.exceptions,
        difference_micros=to_micros(totals.difference),
        approximate_entries=totals.approximate,
    )
