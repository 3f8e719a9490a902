"""How many messages went to blocks of numbers by the hour, as one process counts them between two writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

MOST_KEPT: Final = 50_000
"""Blocks and hours that a process counts at a time, some 15 MB. Those beyond are not counted."""


class BlockHour(NamedTuple):
    """What is counted together. Sorts as those who write must: in one order, so that they do not wait in a circle."""

    account_id: str
    block: str
    hour: int
    """Hours since 1970."""


class Counts(NamedTuple):
    """Messages that were watched for pumping."""

    sent: int
    refused: int


Tally = dict[BlockHour, Counts]


def count(tally: Tally, which: BlockHour, *, sent: int = 0, refused: int = 0) -> None:
    """Adds to the counts of a block in an hour."""
    before = tally.get(which, _NOTHING)
    tally[which] = Counts(before.sent + sent, before.refused + refused)


_NOTHING: Final = Counts(0, 0)


class BlockCounts:
    """Counts of transactions that are over, until they are taken. Bounded; lost with the process."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._counts: Tally = {}
        self.dropped = 0
        """Messages that were not counted since there were too many blocks to count."""

    @contextmanager
    def noting(self) -> Iterator[Tally]:
        """What a transaction counts; it is counted when the body ends, and not when it raises."""
        noted: Tally = {}
        yield noted
        for which, counts in noted.items():
            self.add(which, counts)

    def add(self, which: BlockHour, counts: Counts) -> None:
        """Counts messages that were decided on."""
        if which in self._counts or len(self._counts) < self._most:
            count(self._counts, which, sent=counts.sent, refused=counts.refused)
        else:
            self.dropped += counts.sent + counts.refused

    def take(self) -> list[tuple[BlockHour, Counts]]:
        """All that was counted, in order; it is the caller's from now on."""
        taken, self._counts = sorted(self._counts.items()), {}
        return taken
