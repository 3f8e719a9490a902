"""The caller of the present request. It is bound where a call comes in, and read where the call is translated.

Use cases get it, or its accounts, as an argument, so that one that is forgotten is an error of types.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from service_kit.access.principal import Accounts, Principal

_CURRENT: Final[ContextVar[Principal]] = ContextVar("caller")
_ORIGIN: Final[ContextVar[str | None]] = ContextVar("origin", default=None)

bind: Final[Callable[[Principal], object]] = _CURRENT.set
"""Names the caller whom the present task works for from now on."""
caller: Final[Callable[[], Principal]] = _CURRENT.get
"""The caller of the present request. Raises LookupError where nobody was authenticated, so nothing is done for them."""
bind_origin: Final[Callable[[str | None], object]] = _ORIGIN.set
"""Says which address the present request came from, without its port."""
origin: Final[Callable[[], str | None]] = _ORIGIN.get
"""The address that the present request came from; None when it is not known."""


def caller_accounts() -> Accounts:
    """The accounts of the caller of the present request, to bind page tokens to; None for all, or without a caller.

    Nothing is allowed by it: use `caller` for that.
    """
    principal = _CURRENT.get(None)
    return None if principal is None else principal.accounts


def is_bound() -> bool:
    """Whether the present request has a caller that was authenticated."""
    return _CURRENT.get(None) is not None
