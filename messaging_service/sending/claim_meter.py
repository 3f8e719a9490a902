"""What a claim loop reports to its metrics; counting never fails and never waits."""

from __future__ import annotations

from typing import Protocol

from typing_extensions import override


class ClaimMeter(Protocol):
    """Called by a claim loop."""

    def claimed(self, messages: int) -> None:
        """Called with the number of messages taken from the queue, which may be 0."""
        ...


class UnmeteredClaims(ClaimMeter):
    """For where nobody looks at the figures."""

    @override
    def claimed(self, messages: int) -> None:
        pass
