"""Who asked for a change, and from where, as the audit log names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from service_kit import request_id
from service_kit.access.caller import caller, origin

PLATFORM_KIND: Final = "platform"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asked for a change. It holds no secret."""

    principal: str
    """The id of the caller, as logs name it."""
    kind: str
    """What the caller showed: a PrincipalKind, or PLATFORM_KIND."""
    origin: str | None = None
    """The address that the request came from, without its port; None when nobody said it."""
    request_id: str | None = None
    """The id of the request; None when the change belongs to none."""


PLATFORM: Final = Actor("platform", PLATFORM_KIND)
"""The platform itself, for changes that no caller asked for."""


def actor() -> Actor:
    """The caller of the present request. It is read where a call is translated, and handed to use cases.

    Raises LookupError where nobody was authenticated.
    """
    principal = caller()
    return Actor(principal.id, principal.kind.value, origin(), request_id.current())
