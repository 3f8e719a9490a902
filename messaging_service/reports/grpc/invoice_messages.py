"""ReconcileInvoice, from and to generated messages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import date
from itertools import islice

from messaging_service.reports.domain.invoices import (
    InvoiceCause,
    InvoiceException,
    InvoiceLine,
    InvoiceScope,
    InvoiceTotals,
)
from messaging_service.reports.reconcile_invoice import ReconcileInvoice
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.message import outbox_id
from messaging_service.shared.domain.money import from_micros, to_micros
from messaging_service.shared.grpc import wire
from service_kit.errors import Kind, ServiceError, Violation, invalid
from tukupay.sms.messaging.v1 import reports_pb2 as pb

MAX_TOGETHER = 500
"""Exceptions in one response."""
LARGEST_MICROS = 10**15
PATIENCE_S = 5.0
"""How long a refusal waits for its caller to have sent all."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
"""`20261201` and `2026-W49-2` are days by the standard, and slips in an invoice."""

CAUSES: Mapping[InvoiceCause, pb.InvoiceExceptionCause.ValueType] = {
    InvoiceCause.NOT_OURS: pb.INVOICE_EXCEPTION_CAUSE_NOT_OURS,
    InvoiceCause.DUPLICATE_LINE: pb.INVOICE_EXCEPTION_CAUSE_DUPLICATE_LINE,
    InvoiceCause.NOT_ON_INVOICE: pb.INVOICE_EXCEPTION_CAUSE_NOT_ON_INVOICE,
    InvoiceCause.PARTS_DIFFER: pb.INVOICE_EXCEPTION_CAUSE_PARTS_DIFFER,
    InvoiceCause.COST_DIFFERS: pb.INVOICE_EXCEPTION_CAUSE_COST_DIFFERS,
    InvoiceCause.CHARGED_BUT_FAILED: pb.INVOICE_EXCEPTION_CAUSE_CHARGED_BUT_FAILED,
    InvoiceCause.NOT_CHARGED: pb.INVOICE_EXCEPTION_CAUSE_NOT_CHARGED,
    InvoiceCause.TOTAL_DIFFERS: pb.INVOICE_EXCEPTION_CAUSE_TOTAL_DIFFERS,
}


async def reconcile_invoice(
    reconcile: ReconcileInvoice, requests: AsyncIterator[pb.ReconcileInvoiceRequest]
) -> AsyncGenerator[pb.ReconcileInvoiceResponse, None]:
    """Answers the call.

    A refusal is raised once the caller has sent all: one whose write fails because the call is over takes that for an
    error of ours, and never sees why it was refused.
    """
    try:
        async with aclosing(_answers(reconcile, requests)) as answers:
            async for answer in answers:
                yield answer
    except ServiceError as error:
        if error.kind is Kind.INVALID:
            await _read_to_the_end(requests)
        raise


async def _read_to_the_end(requests: AsyncIterator[pb.ReconcileInvoiceRequest]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            async for _ in requests:
                pass


async def _answers(
    reconcile: ReconcileInvoice, requests: AsyncIterator[pb.ReconcileInvoiceRequest]
) -> AsyncGenerator[pb.ReconcileInvoiceResponse, None]:
    first = await anext(requests, None)
    if first is None or not first.HasField("scope"):
        problem = "is required in the first request: the carrier and the period"
        raise invalid([Violation("scope", reasons.REQUIRED, problem)])
    start, end = wire.to_period(first.scope)
    scope = InvoiceScope(first.scope.carrier, start, end)
    async with aclosing(reconcile(scope, _lines(first, requests))) as pages:
        async for page in pages:
            if isinstance(page, InvoiceTotals):
                yield pb.ReconcileInvoiceResponse(totals=_from_totals(page))
                continue
            remaining = iter(page)
            while together := [_from_exception(each) for each in islice(remaining, MAX_TOGETHER)]:
                yield pb.ReconcileInvoiceResponse(exceptions=together)


async def _lines(
    first: pb.ReconcileInvoiceRequest, requests: AsyncIterator[pb.ReconcileInvoiceRequest]
) -> AsyncIterator[Sequence[InvoiceLine]]:
    yield [_to_line(line) for line in first.lines]
    async for request in requests:
        if request.HasField("scope"):
            raise invalid([Violation("scope", reasons.REPEATED, "is given again; give it in the first request only")])
        yield [_to_line(line) for line in request.lines]


def _to_line(line: pb.InvoiceLine) -> InvoiceLine:
    if not line.line >= 1:
        raise invalid([Violation("lines.line", reasons.OUT_OF_RANGE, f"is {line.line}; give its place, above 0")])
    if line.HasField("cost_micros") and abs(line.cost_micros) > LARGEST_MICROS:
        problem = f"its cost is {line.cost_micros} micros; at most {LARGEST_MICROS} can be compared"
        raise invalid([Violation(f"line {line.line}", reasons.OUT_OF_RANGE, problem)])
    return InvoiceLine(
        line=line.line,
        carrier_message_id=line.carrier_message_id if line.HasField("carrier_message_id") else None,
        day=_day(line) if line.HasField("day") else None,
        messages=line.messages if line.HasField("messages") else None,
        parts=line.parts if line.HasField("parts") else None,
        cost=from_micros(line.cost_micros) if line.HasField("cost_micros") else None,
        failed=line.failed,
    )


def _day(line: pb.InvoiceLine) -> date:
    day = None
    with suppress(ValueError):
        day = date.fromisoformat(line.day) if _DAY.fullmatch(line.day) else None
    if day is None:
        problem = "has a day that is none; write it like 2026-01-31"
        raise invalid([Violation(f"line {line.line}", reasons.INVALID_DAY, problem)])
    return day


def _from_exception(exception: InvoiceException) -> pb.InvoiceException:
    return pb.InvoiceException(
        cause=CAUSES[exception.cause],
        line=exception.line,
        carrier_message_id=exception.carrier_message_id,
        outbox_id=None if exception.message_id is None else outbox_id(exception.message_id),
        attempt=exception.attempt,
        user_id=exception.account_id,
        day=None if exception.day is None else exception.day.isoformat(),
        units=exception.units,
        charged_micros=None if exception.charged is None else to_micros(exception.charged),
        carrier_parts=exception.carrier_parts,
        carrier_cost_micros=None if exception.carrier_cost is None else to_micros(exception.carrier_cost),
        invoice_parts=exception.invoice_parts,
        invoice_cost_micros=None if exception.invoice_cost is None else to_micros(exception.invoice_cost),
        messages=exception.messages,
        invoice_messages=exception.invoice_messages,
    )


def _from_totals(totals: InvoiceTotals) -> pb.InvoiceTotals:
    return pb.InvoiceTotals(
        message_lines=totals.message_lines,
        matched_lines=totals.matched_lines,
        day_lines=totals.day_lines,
        messages=totals.messages,
        units=totals.units,
        charged_micros=to_micros(totals.charged),
        carrier_parts=totals.carrier_parts,
        carrier_cost_micros=to_micros(totals.carrier_cost),
        invoice_parts=totals.invoice_parts,
        invoice_cost_micros=to_micros(totals.invoice_cost),
        cost_not_compared=totals.cost_not_compared,
        exceptions=[
            pb.InvoiceExceptionCount(cause=CAUSES[cause], exceptions=number)
            for cause, number in totals.exceptions.items()
        ],
    )
