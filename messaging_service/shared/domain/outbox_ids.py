"""Ids of messages: UUIDs of version 7, with room for the cell that a message belongs to.

From the highest bit: 48 bits of milliseconds since 1970, the version (4), 12 bits of the fraction of that millisecond,
the variant (2), 10 bits of the cell, and 52 random bits. Ids sort by time, and months of them are ranges, by which the
tables of messages are partitioned (docs/decisions/0060-months-of-messages.md).
"""

from __future__ import annotations

import os
import time
from calendar import timegm
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

CELLS: Final = 1 << 10
"""How many cells an id can name; so far there is one, number 0."""
_RANDOM_BITS: Final = 52
_CELL_AT: Final = _RANDOM_BITS
_VERSION: Final = 0x7 << 76
_VARIANT: Final = 0b10 << 62
_NS_OF_MS: Final = 1_000_000
_FORGET_MS: Final = 10_000
"""Where the clock was set back by more than this, ids follow it instead of the newest one."""


class OutboxIds:
    """Makes ids that rise within a process and are unique over all of them."""

    def __init__(
        self,
        cell: int = 0,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        octets: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """`cell`: below CELLS. `clock_ns`: nanoseconds since 1970. `octets`: that many random ones."""
        if not 0 <= cell < CELLS:
            raise ValueError(f"a cell is a number from 0 to {CELLS - 1}")
        self._clock_ns = clock_ns
        self._octets = octets
        self._fixed = _VERSION | _VARIANT | cell << _CELL_AT
        self._newest = 0
        """Time of the newest id, in parts of 1/4096 ms."""

    def __call__(self) -> UUID:
        """A new id, above all that this object has made before unless the clock was set back by more than 10 s."""
        now = (self._clock_ns() << 12) // _NS_OF_MS
        if now <= self._newest < now + (_FORGET_MS << 12):
            now = self._newest + 1
        self._newest = now
        random = int.from_bytes(self._octets(7)) >> 4
        return UUID(int=now >> 12 << 80 | (now & 0xFFF) << 64 | self._fixed | random)


new_outbox_id: Final = OutboxIds()
"""The ids of this process."""


def cell_of(outbox_id: UUID) -> int:
    """The cell that an id names; ids from before this rule have a random one."""
    return outbox_id.int >> _CELL_AT & (CELLS - 1)


def lowest_id(instant: datetime) -> UUID:
    """The lowest id that is made at an instant, to the millisecond, or later."""
    whole = timegm(instant.astimezone(UTC).utctimetuple()) * 1_000 + instant.microsecond // 1_000
    return UUID(int=max(whole, 0) << 80 | _VERSION | _VARIANT)


def instant_of(outbox_id: UUID) -> datetime:
    """When an id was made, in UTC, to the millisecond. Raises OverflowError for what is no time."""
    milliseconds = outbox_id.int >> 80
    return datetime.fromtimestamp(milliseconds // 1_000, UTC).replace(microsecond=milliseconds % 1_000 * 1_000)
