"""Months of Nairobi, where the books are kept: UTC+3 all the year, without summer time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_NAIROBI = timezone(timedelta(hours=3))
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)


def month(text: str) -> tuple[datetime, datetime]:
    """The first instant of a month such as `2026-10`, and the first one after it, in UTC.

    Raises ValueError with a readable sentence for anything else.
    """
    match = _MONTH.fullmatch(text)
    year, number = (int(match[1]), int(match[2])) if match else (0, 0)
    # The last month of the calendar has no first instant after it.
    if not (1 <= number <= 12 and (2, 1) <= (year, number) < (9999, 12)):
        raise ValueError(f"{text[:20]!r} is not a month such as 2026-10")
    start = datetime(year, number, 1, tzinfo=_NAIROBI)
    end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=_NAIROBI)
    return start.astimezone(UTC), end.astimezone(UTC)
