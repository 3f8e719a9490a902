"""The token that a process shows to others, which its file may replace while it runs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

import structlog

from service_kit.settings import FileSecret

LOOK_EVERY_S: Final = 10.0
"""As files of TLS are looked at."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{32,4096}")

log = structlog.get_logger()


def service_token(text: str) -> str:
    """Parses a token that goes into a header. Raises ValueError that shows no part of it."""
    if not _TOKEN.fullmatch(text):
        raise ValueError("is not 32 to 4,096 of A-Z, a-z, 0-9 and ._~+/=-; `tukupay-sms tokens create` makes one")
    return text


def own_token(token: str, clock: Callable[[], float] = time.monotonic) -> Callable[[], str]:
    """What gives the token for each call: the same for ever, or what its file holds at present.

    A file is looked at every LOOK_EVERY_S. While it holds no token, the one before goes on.
    """
    return _Followed(token, clock) if isinstance(token, FileSecret) else lambda: token


class _Followed:
    def __init__(self, token: FileSecret, clock: Callable[[], float]) -> None:
        self._token = token
        self._clock = clock
        self._next_look = clock() + LOOK_EVERY_S

    def __call__(self) -> str:
        if (now := self._clock()) >= self._next_look:
            self._next_look = now + LOOK_EVERY_S
            self._look()
        return self._token

    def _look(self) -> None:
        path = self._token.path
        try:
            found = FileSecret.read(path)
            if found == self._token:
                return
            service_token(found)
        except ValueError as error:
            log.warning("service_token.not_read", path=str(path), problem=str(error))
            return
        self._token = found
        log.info("service_token.replaced", path=str(path))
