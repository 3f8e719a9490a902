"""Tokens that were verified a moment ago: a look-up in place of a signature."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Final

from service_kit.access.principal import Principal

KEEP_S: Final = 60.0
MAX_TOKENS: Final = 10_000


class VerifiedTokens:
    """Who called with which token. Tokens are kept as their hash, so that none can be read from memory here."""

    def __init__(self, now: Callable[[], float], max_tokens: int = MAX_TOKENS) -> None:
        """`now`: seconds since 1970, as in tokens."""
        self._now = now
        self._max_tokens = max_tokens
        self._kept: dict[bytes, tuple[float, float, Principal]] = {}

    def get(self, token: str) -> Principal | None:
        """Who called with a token; None when it has to be verified."""
        found = self._kept.get(_key(token))
        if found is None:
            return None
        # A clock that was set back must not make a token live longer.
        since, until, principal = found
        return principal if since <= self._now() < until else None

    def keep(self, token: str, principal: Principal, expires_at: float) -> None:
        """Keeps who called for 60 seconds, and never beyond the token's own end; the oldest make room."""
        now = self._now()
        until = min(now + KEEP_S, expires_at)
        if until <= now:
            return
        key = _key(token)
        self._kept.pop(key, None)
        if len(self._kept) >= self._max_tokens:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (now, until, principal)

    def clear(self) -> None:
        """Forgets all of them."""
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)


def _key(token: str) -> bytes:
    return sha256(token.encode()).digest()
