"""What use cases tell of their work to whoever counts it; counting never fails and never waits."""

from __future__ import annotations

from typing import Protocol


class CommitMeter(Protocol):
    """Hears of a group commit."""

    def flushed(self, items: int, waited_s: float, took_s: float) -> None:
        """Items were flushed together; the first of them waited so long, and the flush took so long."""
        ...

    def turned_away(self) -> None:
        """An item was refused, as too many wait."""
        ...


class ClaimMeter(Protocol):
    """Hears of a claim loop."""

    def claimed(self, messages: int) -> None:
        """So many messages were taken from the queue, none at times."""
        ...


class Unmetered:
    """Implements the meters where nobody looks at the figures."""

    def flushed(self, items: int, waited_s: float, took_s: float) -> None:
        """See CommitMeter.flushed."""

    def turned_away(self) -> None:
        """See CommitMeter.turned_away."""

    def claimed(self, messages: int) -> None:
        """See ClaimMeter.claimed."""
