"""Imports that come and go in parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from typing import Final

from pricing_service.domain import reasons
from pricing_service.domain.cost import CostDraft
from pricing_service.domain.idempotency import read_key
from pricing_service.domain.importing import MAX_ROWS_IN_PARTS
from pricing_service.transport.cost_messages import to_imported
from pricing_service.transport.import_messages import ROWS_A_TURN, answerable, bounded, read_rows
from pricing_service.use_cases.import_costs import ImportCosts
from service_kit.audit.actor import Actor
from service_kit.errors import Kind, ServiceError, Violation, invalid
from tukupay.sms.pricing.v1 import pricing_pb2

MAX_ROWS_OF_PART: Final = 2_000
PATIENCE: Final = timedelta(seconds=60)
"""For the next part: a caller that is gone does not keep its rows in memory."""
MAX_VIOLATIONS: Final = 10_000
"""Violations after which the rest of the rows is not looked at."""

Parts = AsyncIterator[pricing_pb2.ImportCostsInPartsRequest]
Answers = AsyncGenerator[pricing_pb2.ImportCostsInPartsResponse, None]


class _Rows:
    """What has come so far."""

    def __init__(self) -> None:
        self.count = 0
        self.drafts: list[CostDraft] = []
        self.found: list[Violation] = []
        self.key: str | None = None
        self.dry_run = False

    async def take(self, part: pricing_pb2.ImportCostsInPartsRequest) -> None:
        """Checks the rows of a part; raises ServiceError INVALID when it or all of them are too many."""
        if not 1 <= len(part.rows) <= MAX_ROWS_OF_PART:
            raise _out_of_range(f"has {len(part.rows)} rows in one part; send 1 to {MAX_ROWS_OF_PART:,}")
        if not self.count:
            self.key = read_key(part.idempotency_key if part.HasField("idempotency_key") else None, self.found)
            self.dry_run = part.dry_run
        if self.count + len(part.rows) > MAX_ROWS_IN_PARTS:
            raise _out_of_range(f"has more than {MAX_ROWS_IN_PARTS:,} rows; import them in several calls")
        await read_rows(part.rows, self.count, self.drafts, self.found)
        self.count += len(part.rows)
        if len(self.found) > MAX_VIOLATIONS:
            self.check()

    def check(self) -> None:
        """Raises ServiceError INVALID when there are no rows, or any is at fault."""
        if self.found:
            raise bounded(invalid(self.found))
        if not self.count:
            raise _out_of_range("has no rows")


async def import_in_parts(import_costs: ImportCosts, parts: Parts, *, actor: Actor) -> Answers:
    """Progress while rows come, then the results."""
    rows = _Rows()
    while (part := await _following(parts)) is not None:
        await rows.take(part)
        yield pricing_pb2.ImportCostsInPartsResponse(checked_rows=rows.count)
    rows.check()
    imported, replayed = await answerable(import_costs(rows.drafts, rows.key, dry_run=rows.dry_run, actor=actor))
    for start in range(0, len(imported), ROWS_A_TURN):
        yield pricing_pb2.ImportCostsInPartsResponse(
            checked_rows=rows.count,
            rows=[to_imported(row) for row in imported[start : start + ROWS_A_TURN]],
            replayed=replayed,
        )


async def _following(parts: Parts) -> pricing_pb2.ImportCostsInPartsRequest | None:
    """The next part; None when there is none."""
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            return await anext(parts, None)
    except TimeoutError:
        raise ServiceError(
            Kind.UNAVAILABLE,
            reasons.PART_OVERDUE,
            f"no part came for {PATIENCE.total_seconds():g} s; nothing was recorded, send the rows again",
        ) from None


def _out_of_range(problem: str) -> ServiceError:
    return invalid([Violation("rows", reasons.OUT_OF_RANGE, problem)])
