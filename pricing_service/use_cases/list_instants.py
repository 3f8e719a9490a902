"""When prices changed, for reports on very many messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pricing_service.domain.history import TierInstants
from pricing_service.domain.tier import Tier
from pricing_service.use_cases.cost_repository import CostRepository

MAX_TIERS: Final = 1_000
MAX_OF_TIER: Final = 1_000
MAX_ROWS: Final = 20_000
"""In one answer, which then has less than a megabyte and is made in some ten milliseconds."""


@dataclass(frozen=True, slots=True)
class ListInstants:
    """Reads the instants of many tiers with one statement."""

    costs: CostRepository

    async def __call__(self, tiers: Sequence[Tier]) -> list[TierInstants]:
        """For each of the tiers, in their order; those with too many rows have none and say so."""
        # One row more than the limit shows that there are more.
        found = await self.costs.instants(tiers, MAX_OF_TIER + 1, MAX_ROWS + 1)
        answers: list[TierInstants] = []
        count = 0
        for rows in found:
            count += len(rows)
            fits = len(rows) <= MAX_OF_TIER and count <= MAX_ROWS
            answers.append(TierInstants(rows if fits else (), fits))
        return answers
