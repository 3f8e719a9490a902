"""Compares what we charged, what the carrier reported, and what its invoice says."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from messaging_service.reports.domain.invoices import InvoiceException, InvoiceLine, InvoiceScope, InvoiceTotals
from messaging_service.reports.report_costs import period_faults
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from service_kit.errors import Violation, invalid

MAX_LINES = 5_000_000
MAX_LINES_AT_ONCE = 1_000
MAX_CARRIER_ID = 128

Lines = AsyncIterator[Sequence[InvoiceLine]]


class InvoiceRecords(Protocol):
    """Compares an invoice with messages, parts and ledger; raises ServiceError DATABASE_UNAVAILABLE."""

    def compare(
        self, scope: InvoiceScope, lines: Lines
    ) -> AsyncGenerator[Sequence[InvoiceException] | InvoiceTotals, None]:
        """The exceptions by cause and line, by pages, and the totals last. Keeps nothing."""
        ...

    async def has_taken(self, carrier: str) -> bool:
        """Whether the carrier ever took a message."""
        ...


@dataclass(frozen=True, slots=True)
class ReconcileInvoice:
    """The use case behind ReconcileInvoice. Memory does not grow with the invoice."""

    records: InvoiceRecords
    carriers: Collection[str]
    """Those that are configured; one of before is known by what it took."""

    async def __call__(
        self, scope: InvoiceScope, lines: Lines
    ) -> AsyncGenerator[Sequence[InvoiceException] | InvoiceTotals, None]:
        """The exceptions by pages, and the totals last. Raises ServiceError INVALID or DATABASE_UNAVAILABLE."""
        found = period_faults(scope.start, scope.end, None)
        if problem := text_problem(scope.carrier, MAX_IDENTIFIER):
            found.append(Violation("carrier", reasons.INVALID_IDENTIFIER, problem))
        elif scope.carrier not in self.carriers and not await self.records.has_taken(scope.carrier):
            known = ", ".join(sorted(self.carriers))
            problem = f"is {scope.carrier!r}, which is no carrier here and never took a message; give one of {known}"
            found.append(Violation("carrier", reasons.UNKNOWN_CARRIER, problem))
        if found:
            raise invalid([Violation(f"scope.{v.field}", v.reason, v.description) for v in found])
        async with aclosing(self.records.compare(scope, _checked(lines))) as pages:
            async for page in pages:
                yield page


async def _checked(lines: Lines) -> Lines:
    count = 0
    async for some in lines:
        count += len(some)
        found = [fault for line in some for fault in _faults(line)]
        if len(some) > MAX_LINES_AT_ONCE:
            found.append(
                Violation("lines", reasons.TOO_MANY, f"are {len(some):,}; send {MAX_LINES_AT_ONCE:,} at once at most")
            )
        if count > MAX_LINES:
            found.append(Violation("lines", reasons.TOO_MANY, f"are more than {MAX_LINES:,} in all; split the invoice"))
        if found:
            raise invalid(found)
        yield some


def _faults(line: InvoiceLine) -> list[Violation]:
    where = f"line {line.line}"
    found: list[Violation] = []
    if (line.carrier_message_id is None) == (line.day is None):
        problem = "is about neither a message nor a day, or about both; give the carrier's message id or the day"
        found.append(Violation(where, reasons.REQUIRED, problem))
    if line.carrier_message_id is not None and (problem := text_problem(line.carrier_message_id, MAX_CARRIER_ID) or ""):
        found.append(Violation(where, reasons.INVALID_IDENTIFIER, f"the carrier's message id {problem}"))
    if line.carrier_message_id is not None and line.messages is not None:
        found.append(Violation(where, reasons.OUT_OF_PLACE, "has messages, which only a line about a day has"))
    if any(figure is not None and figure < 0 for figure in (line.messages, line.parts)):
        found.append(Violation(where, reasons.OUT_OF_RANGE, "has a figure below 0; only a cost may be, for a credit"))
    return found
