"""Compares the copy of the price book in this process with the book itself."""

from __future__ import annotations

from dataclasses import replace

from messaging_service.prices.price_copy_audit import PriceCopyAudit, PriceCopyComparison

MAX_DIFFERING = 100
"""Most questions with different answers that one audit names."""


class AuditPriceCopy:
    """The use case behind AuditPriceCopy."""

    def __init__(self, audit: PriceCopyAudit) -> None:
        self._audit = audit

    async def __call__(self) -> PriceCopyComparison:
        """How the copy compares, with the first MAX_DIFFERING differences. Raises ServiceError PRICING_UNAVAILABLE."""
        found = await self._audit.compare()
        return replace(found, differing=found.differing[:MAX_DIFFERING])
