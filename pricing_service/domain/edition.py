"""Which state of the price book an answer was read from."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class Edition(NamedTuple):
    """The price book as it was between two changes."""

    epoch: int
    """How many changes it had."""
    changed_at: datetime | None
    """UTC, on the database's clock: when the newest of them was recorded; None before the first.

    Each change is later than the one before, so a question with this as its `known_at` is answered from the same
    rows ever after.
    """
