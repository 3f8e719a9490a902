"""Tokens of the platform's own programs and operators: made here, known to services by their SHA-256 only."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

PREFIX: Final = "tukupay_"
"""How tokens start, so that programs that scan code and logs for secrets find them."""
BEARER: Final = "Bearer "
"""What precedes a token in the `authorization` of a call."""
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made."""

    text: str = field(repr=False)
    """The token, for the one who is to use it. It is kept nowhere."""
    sha256: str
    """What the file of identities has of it: 64 hexadecimal digits."""


def generate() -> NewToken:
    """A new token from the system's source of randomness, of 256 bits."""
    text = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    return NewToken(text, digest(text).hex())


def digest(token: str) -> bytes:
    """The SHA-256 of a token. Tokens have 256 bits of entropy, so a slow hash would add nothing."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def bearer_of(authorization: str | bytes | None) -> str | None:
    """The token in the `authorization` of a call; None when there is none, or another scheme."""
    if not isinstance(authorization, str) or authorization[: len(BEARER)].lower() != BEARER.lower():
        return None
    return authorization[len(BEARER) :].strip() or None
