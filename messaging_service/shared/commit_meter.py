"""What a group commit reports to its metrics; counting never fails and never waits."""

from __future__ import annotations

from typing import Protocol

from typing_extensions import override


class CommitMeter(Protocol):
    """Called by a group commit."""

    def flushed(self, items: int, waited_s: float, took_s: float) -> None:
        """Called after each flush: its items, the wait of the first of them, and how long it took."""
        ...

    def failed(self, error: Exception) -> None:
        """Called for each flush that failed as a whole."""
        ...

    def turned_away(self) -> None:
        """An item was refused because too many wait."""
        ...


class UnmeteredCommits(CommitMeter):
    """For where nobody looks at the figures."""

    @override
    def flushed(self, items: int, waited_s: float, took_s: float) -> None:
        pass

    @override
    def failed(self, error: Exception) -> None:
        pass

    @override
    def turned_away(self) -> None:
        pass
