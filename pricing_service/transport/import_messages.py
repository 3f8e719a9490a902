"""Imports between generated messages and the domain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from pricing_service.domain import reasons
from pricing_service.domain.cost import CostDraft
from pricing_service.domain.idempotency import read_key
from pricing_service.domain.importing import MAX_ROWS
from pricing_service.transport.cost_messages import read_draft, to_imported
from pricing_service.use_cases.import_costs import ImportedRow
from service_kit.errors import ServiceError, Violation, invalid
from tukupay.sms.pricing.v1 import pricing_pb2

T = TypeVar("T")

ROWS_A_TURN: Final = 200
"""Rows that are worked on before other calls have their turn: some milliseconds."""
MAX_BYTES: Final = 8 * 1024 * 1024
"""Of a request: its answer repeats it, with ids and times, and must not be too large to be sent after the commit."""
MAX_DETAILS_BYTES: Final = 3_500
"""Of violations in one failure. Failures travel in trailers, of which a client takes 8 kB, with base64 around it."""


async def read_import(request: pricing_pb2.ImportCostsRequest) -> tuple[list[CostDraft], str | None]:
    """The prices to record and the key of the request; raises ServiceError INVALID after checking every row."""
    if not 1 <= len(request.rows) <= MAX_ROWS:
        problem = f"has {len(request.rows)} rows; import 1 to {MAX_ROWS:,} at once"
        raise invalid([Violation("rows", reasons.OUT_OF_RANGE, problem)])
    if request.ByteSize() > MAX_BYTES:
        problem = f"have more than {MAX_BYTES:,} bytes; import them by ImportCostsInParts"
        raise invalid([Violation("rows", reasons.OUT_OF_RANGE, problem)])
    found: list[Violation] = []
    key = read_key(request.idempotency_key if request.HasField("idempotency_key") else None, found)
    drafts: list[CostDraft] = []
    await read_rows(request.rows, 0, drafts, found)
    if found:
        raise bounded(invalid(found))
    return drafts, key


async def read_rows(
    rows: Iterable[pricing_pb2.SetCostRequest], first: int, drafts: list[CostDraft], found: list[Violation]
) -> None:
    """Appends the prices of rows, of which the first has this place, or what is wrong with them."""
    for place, row in enumerate(rows, start=first):
        try:
            drafts.append(read_draft(row, []))
        except ServiceError as failure:
            found += [replace(each, field=f"rows[{place}].{each.field}") for each in failure.violations]
        if place % ROWS_A_TURN == 0:
            await asyncio.sleep(0)


async def import_answer(rows: Sequence[ImportedRow], *, replayed: bool) -> pricing_pb2.ImportCostsResponse:
    """The wire form of what an import does."""
    response = pricing_pb2.ImportCostsResponse(replayed=replayed)
    for place, row in enumerate(rows):
        response.rows.append(to_imported(row))
        if place % ROWS_A_TURN == 0:
            await asyncio.sleep(0)
    return response


async def answerable(work: Awaitable[T]) -> T:
    """The result of the work; its failures keep to what an answer can carry."""
    try:
        return await work
    except ServiceError as failure:
        raise bounded(failure) from None


def bounded(failure: ServiceError) -> ServiceError:
    """The failure with as many of its violations as an answer can carry, and how many there are.

    Those that fit are the first by row, so that who corrects them and tries again gets to the next.
    """
    count = len(failure.violations)
    kept: list[Violation] = []
    size = 0
    for violation in sorted(failure.violations, key=_place):
        size += sum(len(part.encode()) for part in (violation.field, violation.reason, violation.description)) + 12
        if size > MAX_DETAILS_BYTES:
            break
        kept.append(violation)
    if len(kept) == count and len(failure.message) <= MAX_DETAILS_BYTES // 2:
        return failure
    first = f"{kept[0].field}: {kept[0].description}" if kept else failure.reason
    message = f"{count:,} values are at fault, the first: {first}"
    metadata = {**failure.metadata, "violations": str(count)}
    return replace(failure, message=message, violations=tuple(kept), metadata=metadata)


def _place(violation: Violation) -> tuple[int, str]:
    row = violation.field.partition("[")[2].partition("]")[0]
    return (int(row) if row.isdigit() else -1, violation.field)
