"""Reading the recorded rows of a tier by pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from pricing_service.domain import reasons
from pricing_service.domain.cost import Cost
from service_kit.errors import Violation

DEFAULT_PAGE: Final = 100
MAX_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class HistoryPosition:
    """A place in a history: after the row with these values."""

    effective_from: datetime
    epoch: int


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some rows of a history."""

    costs: tuple[Cost, ...]
    """Oldest `effective_from` first, then in the order of recording."""
    following: HistoryPosition | None
    """Where the next page begins; None on the last one."""


class CostInstants(NamedTuple):
    """When a row takes effect and when it became what it is, UTC."""

    effective_from: datetime
    recorded_at: datetime
    withdrawn_at: datetime | None
    """None when it was not withdrawn."""


@dataclass(frozen=True, slots=True)
class TierInstants:
    """When the prices of a tier changed."""

    rows: Sequence[CostInstants]
    """All rows ever recorded; none when there are too many for one answer."""
    is_complete: bool


def read_page_size(page_size: int, violations: list[Violation]) -> int:
    """The rows of a page: 1 to 1,000, where 0 means 100; appends a violation for other numbers."""
    if not 0 <= page_size <= MAX_PAGE:
        problem = f"is {page_size}; use 1 to {MAX_PAGE}, or 0 for {DEFAULT_PAGE}"
        violations.append(Violation("page_size", reasons.OUT_OF_RANGE, problem))
    return page_size or DEFAULT_PAGE
