"""What a file of prices does to the price book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Final

from pricing_service.domain import reasons
from pricing_service.domain.cost import CostDraft
from pricing_service.domain.price_guards import Guards
from pricing_service.domain.tier import Tier
from service_kit.errors import Violation

MAX_ROWS: Final = 20_000
"""In one message."""
MAX_ROWS_IN_PARTS: Final = 50_000
"""In one transaction: a hundred megabytes for five to ten seconds, in which nobody else changes a price."""


class Effect(Enum):
    """What an imported row does."""

    NEW = "new"
    """The first price of its tier at that instant."""
    CHANGED = "changed"
    """Another price than the one in effect at that instant."""
    UNCHANGED = "unchanged"
    """The same price as the one in effect at that instant; not recorded."""


@dataclass(frozen=True, slots=True)
class PriceInEffect:
    """The price of a tier at an instant."""

    price: Decimal
    effective_from: datetime


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """A row of an import and what is to be done with it."""

    draft: CostDraft
    previous: Decimal | None
    """The price in effect at its instant before the import; None when there is none."""
    effect: Effect
    overridden_guards: tuple[str, ...]


def repeated_rows(drafts: Sequence[CostDraft]) -> list[Violation]:
    """A violation for each row that is about the same tier and instant as one before it: one is a mistake."""
    first: dict[tuple[Tier, datetime], int] = {}
    found: list[Violation] = []
    for place, draft in enumerate(drafts):
        earlier = first.setdefault((draft.tier, draft.effective_from), place)
        if earlier != place:
            problem = f"repeats the level, entity and instant of rows[{earlier}]; leave one of them out"
            found.append(Violation(f"rows[{place}].effective_from", reasons.REPEATED, problem))
    return found


def plan_import(
    drafts: Sequence[CostDraft], before: Sequence[PriceInEffect | None], guards: Guards, now: datetime
) -> tuple[list[PlannedRow], list[Violation]]:
    """The rows in their order, and what guards say about those that do not override them.

    `before` has the price in effect at the instant of each row without the import. Whether a row changes anything
    also depends on the rows of the same tier that take effect before it: a price that comes back after another
    one is no repetition.
    """
    planned: list[PlannedRow | None] = [None] * len(drafts)
    violations: list[Violation] = []
    latest: dict[Tier, PriceInEffect] = {}
    for place in sorted(range(len(drafts)), key=lambda place: drafts[place].effective_from):
        draft, found = drafts[place], before[place]
        own = latest.get(draft.tier)
        stands = found if own is None or (found and found.effective_from > own.effective_from) else own
        previous = found.price if found else None
        if stands is not None and stands.price == draft.price:
            planned[place] = PlannedRow(draft, previous, Effect.UNCHANGED, ())
            continue
        touched = guards.touched(draft, stands.price if stands else None, now)
        if not draft.override_guards:
            violations += [replace(each, field=f"rows[{place}].{each.field}") for each in touched]
        effect = Effect.NEW if previous is None else Effect.CHANGED
        planned[place] = PlannedRow(draft, previous, effect, tuple(each.reason for each in touched))
        latest[draft.tier] = PriceInEffect(draft.price, draft.effective_from)
    return [row for row in planned if row is not None], violations
