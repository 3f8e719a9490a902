"""What the gateway reports of its work to whatever counts it."""

from __future__ import annotations

from typing import Literal, Protocol

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


Refused = Literal["missing", "invalid", "limited", "address", "unchecked", "scope", "account"]
"""Why a caller is refused: no credential; one that is not valid, or one of too many; one that is not for the address;
one that cannot be checked now; one without the scope, or for single accounts where all are needed."""


class CredentialMeter(Protocol):
    """Is called about callers that are not let in."""

    def credential_refused(self, cause: Refused) -> None:
        """A request was refused for its credential."""
        ...


class Unmetered(RequestMeter, SendMeter, CredentialMeter):
    """Implements the ports where nothing is counted."""

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

    @override
    def credential_refused(self, cause: Refused) -> None:
        pass
