"""Which row prices a send, worked out from the rows of its tiers.

A row counts for what was known at an instant when it was recorded by then and not withdrawn by then. Of the
rows of a tier that count and have begun, the one with the greatest `effective_from` is in effect, and of
those the highest revision. Between tiers the order is that of `precedence`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pricing_service.domain.cost import Cost
from pricing_service.domain.tier import Tier


@dataclass(frozen=True, slots=True)
class Standing:
    """What a tier has at an instant."""

    cost: Cost | None
    """The row in effect; None when there is none."""
    changes_at: datetime | None
    """The first instant after it at which another row takes effect; None when none is known."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What prices a send at an instant."""

    cost: Cost | None
    """None when no tier has a row in effect."""
    valid_until: datetime | None
    """The first instant after it at which another row prices the send; None when none is known."""


@dataclass(frozen=True, slots=True)
class DraftPrice:
    """A price that is only tried out: as if it were the newest revision of its tier and instant."""

    place: int
    """Its position in the request, from 0; a later one beats an earlier one of the same instant."""
    tier: Tier
    price: Decimal
    effective_from: datetime

    def as_cost(self, now: datetime) -> Cost:
        """The row that it would be, recorded now; revision and epoch 0 tell it from real ones."""
        return Cost(
            cost_id=f"draft_{self.place}",
            tier=self.tier,
            price=self.price,
            reason=None,
            effective_from=self.effective_from,
            created_by="",
            recorded_at=now,
            revision=0,
            epoch=0,
        )


def standing(rows: Iterable[Cost], at: datetime, known_at: datetime | None) -> Standing:
    """What a tier with these rows has at an instant, as it was known at another; None means now."""
    counting = [row for row in rows if row.counts(known_at)]
    begun = [row for row in counting if row.effective_from <= at]
    winner = max(begun, key=lambda row: (row.effective_from, row.revision), default=None)
    following = min((row.effective_from for row in counting if row.effective_from > at), default=None)
    return Standing(winner.as_known(known_at) if winner else None, following)


def with_drafts(found: Standing, drafts: Sequence[DraftPrice], at: datetime, now: datetime) -> Standing:
    """What a tier would have if these drafts of it were recorded now."""
    begun = [draft for draft in drafts if draft.effective_from <= at]
    cost, changes_at = found.cost, found.changes_at
    if begun:
        newest = max(begun, key=lambda draft: (draft.effective_from, draft.place))
        if cost is None or newest.effective_from >= cost.effective_from:
            cost = newest.as_cost(now)
    for draft in drafts:
        if draft.effective_from > at and (changes_at is None or draft.effective_from < changes_at):
            changes_at = draft.effective_from
    return Standing(cost, changes_at)


def resolve(tiers: Sequence[Tier], standings: Mapping[Tier, Standing]) -> Resolution:
    """What prices a send that these tiers can price, the strongest first.

    Weaker tiers than the winner's cannot change the answer; a stronger one does as soon as it has a row.
    """
    valid_until: datetime | None = None
    for tier in tiers:
        found = standings[tier]
        if found.changes_at is not None and (valid_until is None or found.changes_at < valid_until):
            valid_until = found.changes_at
        if found.cost is not None:
            return Resolution(found.cost, valid_until)
    return Resolution(None, valid_until)
