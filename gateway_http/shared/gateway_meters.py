"""What the gateway tells of its work to whoever counts it."""

from __future__ import annotations

from typing import Protocol


class RequestMeter(Protocol):
    """Hears of every HTTP request when it is over."""

    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """`route` is the documented template, None for a path that has none; status 0: the client went away."""
        ...


class SendMeter(Protocol):
    """Hears of the batches in which sends travel."""

    def launched(self, items: int, waited_s: float) -> None:
        """A batch left; its first item waited so long for the others."""
        ...

    def batch_ended(self, code: str, seconds: float) -> None:
        """The call of a batch ended with the name of a status, so long after it left."""
        ...

    def turned_away(self) -> None:
        """A send was refused, as too many were under way."""
        ...


class Unmetered:
    """Implements both ports where nobody looks at the figures."""

    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """See RequestMeter.answered."""

    def launched(self, items: int, waited_s: float) -> None:
        """See SendMeter.launched."""

    def batch_ended(self, code: str, seconds: float) -> None:
        """See SendMeter.batch_ended."""

    def turned_away(self) -> None:
        """See SendMeter.turned_away."""
