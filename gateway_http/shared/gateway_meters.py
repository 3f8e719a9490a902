"""What the gateway reports of its work to whatever counts it."""

from __future__ import annotations

from typing import Protocol

from typing_extensions import override


class RequestMeter(Protocol):
    """Is called when an HTTP request is over."""

    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """`route` is the documented template, None for a path that has none; status 0: the client went away."""
        ...


class SendMeter(Protocol):
    """Is called about the batches in which sends travel."""

    def launched(self, items: int, waited_s: float) -> None:
        """A batch left; `waited_s` is how long its first item waited for the others."""
        ...

    def batch_ended(self, code: str, seconds: float) -> None:
        """The call of a batch ended, `seconds` after it left; `code` is the name of its gRPC status."""
        ...

    def turned_away(self) -> None:
        """A send was refused because too many were under way."""
        ...


class Unmetered(RequestMeter, SendMeter):
    """Implements both ports where nothing is counted."""

    @override
    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        pass

    @override
    def launched(self, items: int, waited_s: float) -> None:
        pass

    @override
    def batch_ended(self, code: str, seconds: float) -> None:
        pass

    @override
    def turned_away(self) -> None:
        pass
