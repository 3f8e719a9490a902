"""How much waits in the queue and in the inbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from messaging_service.shared.domain.states import Priority


class Waiting(StrEnum):
    """Why a message is in the queue."""

    DUE = "due"
    """It should have gone: it waits for a free place, or for its next try."""
    SCHEDULED = "scheduled"
    """Its time has not come."""
    SUBMITTING = "submitting"
    """A process is sending it."""
    UNKNOWN = "unknown"
    """It may have been sent; a receipt or the end of its window decides."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """What waits, each number up to MOST_COUNTED."""

    messages: Mapping[tuple[Priority, Waiting], int]
    """Those that are absent are none."""
    oldest_due_s: Mapping[Priority, float]
    """For how long the oldest due message of a lane should have gone; absent when none is due."""
    receipts_new: int
    """Receipts that were not looked at yet."""
    receipts_unmatched: int
    """Receipts that were looked at, found no message, and will be looked at again."""
    receipts_orphaned: int
    """Receipts that never found a message and are not looked at any more."""
