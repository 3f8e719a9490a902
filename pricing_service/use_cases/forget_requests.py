"""Letting go of idempotency keys that nobody will use again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pricing_service.use_cases.cost_repository import CostRepository

AT_ONCE: Final = 100
"""Keys in one statement: that of an import is as large as its file."""


@dataclass(frozen=True, slots=True)
class ForgetRequests:
    """Forgets keys after their retention; the prices that they made stay."""

    costs: CostRepository
    retention: timedelta

    async def __call__(self) -> int:
        """How many were forgotten; raises ServiceError UNAVAILABLE, and those forgotten before stay so."""
        count = 0
        while True:
            forgotten = await self.costs.forget_requests(self.retention, AT_ONCE)
            count += forgotten
            if forgotten < AT_ONCE:
                return count
