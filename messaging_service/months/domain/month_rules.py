"""Which months of messages may be removed, and why others may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

AHEAD: Final = 3
"""Months after the present one for which there are to be partitions."""


@dataclass(frozen=True, slots=True)
class MonthFacts:
    """A partition of messages, and what is on record of it."""

    partition: str
    ends: datetime
    """The first instant after it, in UTC; older ones are in it from the first that is kept on."""
    octets: int
    """Of its messages with their indexes, and of their events and parts."""
    held: int
    """Messages whose money is held: those that are open. Scheduled, in the queue, being submitted or unknown."""
    queued: int
    """Rows of the queue for its messages."""
    unchained: int
    """Events that no batch of their chain has yet."""


@dataclass(frozen=True, slots=True)
class MonthVerdict:
    """What is to become of a month."""

    month: MonthFacts
    obstacles: Sequence[str]
    """Why it stays, in words; empty when it goes."""


def months_after(instant: datetime, months: int) -> datetime:
    """The first instant of the month so many months after that of an instant; before it, if negative."""
    year, month = divmod(instant.year * 12 + instant.month - 1 + months, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def horizon(now: datetime, ends: datetime) -> int:
    """How many whole months after the present one there are partitions for; below 0 when this month has none."""
    return (ends.year - now.year) * 12 + ends.month - now.month - 1


def kept_from(now: datetime, keep: int) -> datetime:
    """The first instant of the oldest month that is kept when `keep` whole months before the present one are."""
    return months_after(now, -keep)


def verdicts(months: Sequence[MonthFacts], now: datetime, keep: int) -> list[MonthVerdict]:
    """What becomes of months, oldest first. `keep`: whole months before the present one; 0 for all of them.

    Months go in their order, so that there is always one instant from which on everything is there.
    """
    found: list[MonthVerdict] = []
    for month in months:
        obstacles = _obstacles(month, now, keep)
        if not obstacles and any(each.obstacles for each in found):
            obstacles = ["an older month stays"]
        found.append(MonthVerdict(month, obstacles))
    return found


def _obstacles(month: MonthFacts, now: datetime, keep: int) -> list[str]:
    if keep == 0:
        return ["all months are kept"]
    if month.ends > kept_from(now, keep):
        return [f"{keep} months are kept"]
    counts = (
        (month.held, "messages are open, with money on hold"),
        (month.queued, "messages are in the queue"),
        (month.unchained, "events are not chained yet"),
    )
    return [f"{count} {what}" for count, what in counts if count]
