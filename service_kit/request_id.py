"""The id of the request that the present task works for: it follows a request through logs, calls and errors.

It is bound where a request comes in and where an item of a batch begins. Tasks inherit it from whoever starts them;
work for many requests at once is started `for_nobody`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from contextvars import Context, ContextVar, copy_context
from random import getrandbits
from typing import Final

from service_kit.tracing.span import bind_span

METADATA_KEY: Final = "x-request-id"
"""Of gRPC metadata, and the HTTP header in lower case."""
MAX_LENGTH: Final = 128
_VALID: Final = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}")
_CURRENT: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)

bind: Final[Callable[[str | None], object]] = _CURRENT.set
"""Names the request that the present task works for from now on; None: no single one."""
current: Final[Callable[[], str | None]] = _CURRENT.get
"""The request that the present task works for; None when there is none, or more than one."""


def new_request_id() -> str:
    """A UUIDv7 in 32 hexadecimal digits: in the order of time, and unique but no secret, so no system call makes it."""
    milliseconds = time.time_ns() // 1_000_000
    return f"{milliseconds << 80 | 0x7 << 76 | getrandbits(12) << 64 | 0b10 << 62 | getrandbits(62):032x}"


def valid(value: str | bytes | None) -> str | None:
    """The caller's id if it may stand in logs and answers as it is: 1 to 128 letters, digits and `._~:/+=@-`.

    None for any other.
    """
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return value if value and _VALID.fullmatch(value) else None


def from_metadata(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """The id that came with a gRPC call, or a new one when there is none or it is not valid."""
    for key, value in metadata or ():
        if key == METADATA_KEY:
            return valid(value) or new_request_id()
    return new_request_id()


def to_metadata() -> tuple[tuple[str, str], ...]:
    """What goes with a gRPC call for the present request; empty when there is none."""
    request_id = _CURRENT.get()
    return () if request_id is None else ((METADATA_KEY, request_id),)


def for_nobody() -> Context:
    """The present context without a request and its trace, for tasks that work for many of them, or for none."""
    context = copy_context()
    context.run(_CURRENT.set, None)
    context.run(bind_span, None)
    return context
