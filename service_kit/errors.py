"""The kinds of failure that use cases raise and transports translate.

A failure names a cause, not a protocol: `kind` says what class of failure it is, `reason` is the
stable UPPER_SNAKE word that clients may program against, and the message is for a person and ends
with the remedy. No message ever holds a text, a key or a full phone number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum

from service_kit import reasons


class Kind(Enum):
    """What class of failure it is; one mapper per transport turns it into a status."""

    INVALID = "invalid"
    """The request itself is at fault; repeating it cannot help."""
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    FAILED_PRECONDITION = "failed_precondition"
    """The request is well formed, but the state of the system forbids it."""
    OVERLOADED = "overloaded"
    """A bounded queue is full; nothing was done, try again after the delay."""
    UNAVAILABLE = "unavailable"
    """Something needed is down; nothing was done, try again after the delay."""
    UNAUTHENTICATED = "unauthenticated"
    """Nobody knows who calls: there is no credential, or it is not valid."""
    PERMISSION_DENIED = "permission_denied"
    """It is known who calls, and they may not do this."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with one field of a request."""

    field: str
    """Name of the field in the proto's spelling, with `[i]` for an element of a list."""
    reason: str
    """Stable UPPER_SNAKE word."""
    description: str
    """What is wrong and what would be right."""


@dataclass(eq=False)
class ServiceError(Exception):
    """A failure with a cause that the caller can act on."""

    kind: Kind
    reason: str
    message: str
    violations: Sequence[Violation] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after: timedelta | None = None
    """When trying again makes sense; None when it does not."""

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


def invalid(violations: Sequence[Violation]) -> ServiceError:
    """The error for a request with one or more fields at fault; names all of them."""
    if not violations:
        raise ValueError("an invalid request has at least one violation")
    summary = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
    return ServiceError(Kind.INVALID, reasons.INVALID_ARGUMENT, summary, violations=tuple(violations))
