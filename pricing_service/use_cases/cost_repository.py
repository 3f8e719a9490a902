"""The port to the recorded prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from pricing_service.domain.cost import Cost, CostDraft
from pricing_service.domain.history import HistoryPosition
from pricing_service.domain.tier import Tier


class Lookup(NamedTuple):
    """Asks for the row of one tier that is in effect at an instant."""

    tier: Tier
    at: datetime | None
    """UTC; None means now, on the database's clock."""


@dataclass(frozen=True, slots=True)
class InEffect:
    """What lookups found, all seen at one moment."""

    now: datetime
    """UTC, on the database's clock: the instant of every lookup that named none."""
    costs: Mapping[Lookup, Cost]
    """Only the lookups that found a row."""


class CostRepository(Protocol):
    """Keeps every row ever recorded, and counts them in its epoch.

    Each method is one transaction. All raise ServiceError UNAVAILABLE while the database is away.
    """

    async def record(self, cost_id: str, draft: CostDraft) -> Cost:
        """Adds a row: the next revision of its tier and `effective_from`, the next epoch of all.

        Concurrent calls take turns, so that nobody who saw an epoch can later find a smaller one that
        was not there before.
        """
        ...

    async def in_effect(self, lookups: Sequence[Lookup]) -> InEffect:
        """The row in effect for each lookup.

        It has the greatest `effective_from` that is not after the instant, and of those the highest
        revision.
        """
        ...

    async def history(self, tier: Tier, after: HistoryPosition | None, limit: int) -> Sequence[Cost]:
        """At most `limit` rows of a tier after a position, by `effective_from`, then epoch.

        For a SpecificCustomer also the DirectCustomer rows with an `effective_from` before the
        customer's first own row; all of them when it has none.
        """
        ...

    async def epoch(self) -> int:
        """How many rows were ever recorded; 0 when none was."""
        ...

    async def changes_after(self, epoch: int, limit: int) -> Sequence[Cost]:
        """At most `limit` rows recorded after an epoch, in the order of recording."""
        ...
