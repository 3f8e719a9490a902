"""Goes through a period of the outbox in slices of time, each about a page long."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

FIRST_SLICE: Final = timedelta(hours=1)
SHORTEST_SLICE: Final = timedelta(milliseconds=1)
LONGEST_SLICE: Final = timedelta(days=366)

Place = tuple[datetime, UUID]
"""Where a message stands: its creation and its id."""

Row = TypeVar("Row")


async def by_slices(
    start: datetime,
    end: datetime,
    size: int,
    page: Callable[[datetime, datetime, Place | None], Awaitable[Sequence[Row]]],
    place: Callable[[Row], Place],
) -> AsyncGenerator[Sequence[Row], None]:
    """The rows of a half-open period in the order of their places, by pages of `size` at most.

    `page` gives the first rows of a slice, after a place when one is given. The index over all accounts knows only
    roughly where a time is stored (it costs sends nothing), and would sort the rest of the period for every page.
    """
    lower, width, after = start, FIRST_SLICE, None
    while lower < end:
        upper = end if end - lower <= width else lower + width
        rows = await page(lower, upper, after)
        if rows:
            yield rows
        if len(rows) == size:
            after = place(rows[-1])
            width = max(after[0] - lower, SHORTEST_SLICE)
            lower = after[0]
        else:
            lower, after = upper, None
            if len(rows) < size // 2:
                width = min(2 * width, LONGEST_SLICE)
