"""API keys as callers show them: `tk_live_` or `tk_test_`, 8 characters of public id, 32 secret ones, 6 of checksum.

The characters are letters and digits. The checksum is the CRC-32 of all that precedes it, so that a mistyped or
truncated key is refused without a look-up, and programs that scan code for leaked keys know a real one.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from service_kit.access.principal import AccessMode

ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
"""The 62 characters of ids, secrets and checksums, in the order of their values."""
PREFIXES: Final[dict[str, AccessMode]] = {f"tk_{mode}_": mode for mode in AccessMode}
"""How keys start, and the mode that this says."""

_ID_CHARACTERS: Final = 8
_SECRET_CHARACTERS: Final = 32  # 190 bits
_CHECKSUM_CHARACTERS: Final = 6  # 62⁶ is more than 2³²
_PREFIX: Final = "|".join(map(re.escape, PREFIXES))
_KEY_ID: Final = re.compile(f"(?:{_PREFIX})[0-9A-Za-z]{{{_ID_CHARACTERS}}}")
_KEY: Final = re.compile(
    f"(?P<checked>(?P<id>(?P<prefix>{_PREFIX})[0-9A-Za-z]{{{_ID_CHARACTERS}}})[0-9A-Za-z]{{{_SECRET_CHARACTERS}}})"
    f"(?P<checksum>[0-9A-Za-z]{{{_CHECKSUM_CHARACTERS}}})"
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A well-formed key, without its secret. Whether it is valid is known to the service that keeps the keys."""

    id: str
    """The public part, for instance `tk_live_4fQ2bT9x`: the name of the principal in logs and records."""
    mode: AccessMode
    digest: bytes = field(repr=False)
    """SHA-256 of the whole key, 32 octets. The secret has 190 bits of entropy, so a slow hash would add nothing."""

    def has_digest(self, digest: bytes) -> bool:
        """Whether that is the digest of the same key, in a time that does not depend on where they differ."""
        return compare_digest(self.digest, digest)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made."""

    key: ApiKey
    text: str = field(repr=False)
    """The whole key, for the one who is to use it. It is kept nowhere."""


def generate(mode: AccessMode) -> NewKey:
    """A new key from the system's source of randomness."""
    characters = _ID_CHARACTERS + _SECRET_CHARACTERS
    checked = f"tk_{mode}_" + "".join(secrets.choice(ALPHABET) for _ in range(characters))
    text = checked + _checksum(checked)
    return NewKey(parse(text), text)


def parse(text: str) -> ApiKey:
    """The key that a caller showed. Raises ValueError, which names no part of it, when it is malformed or mistyped."""
    match = _KEY.fullmatch(text)
    if match is None:
        raise ValueError("is not an API key")
    if match["checksum"] != _checksum(match["checked"]):
        raise ValueError("has a wrong checksum")
    return ApiKey(match["id"], PREFIXES[match["prefix"]], sha256(text.encode("ascii")).digest())


def is_key(text: str) -> bool:
    """Whether a credential claims to be an API key, and not, for instance, a token: it starts as keys do."""
    return text.startswith(tuple(PREFIXES))


def is_key_id(text: str) -> bool:
    """Whether that can be the id of a key."""
    return _KEY_ID.fullmatch(text) is not None


def _checksum(checked: str) -> str:
    number = zlib.crc32(checked.encode("ascii"))
    digits = []
    for _ in range(_CHECKSUM_CHARACTERS):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
