"""What an operator wants of a carrier."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CarrierMode(StrEnum):
    """Whether a carrier is used."""

    RUNNING = "running"
    """It takes messages."""
    PAUSED = "paused"
    """It takes no messages and stays connected, so that receipts come in. Messages that only it could take wait
    in the queue."""
    DRAINED = "drained"
    """It takes no messages, ends what is under way, and disconnects."""


@dataclass(frozen=True, slots=True)
class CarrierControl:
    """An operator's word on one carrier; without one it is RUNNING."""

    carrier: str
    mode: CarrierMode
    changed_at: datetime
    changed_by: str
    """Who, as they said; empty when they did not."""
    reason: str
