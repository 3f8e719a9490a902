"""A value under a data key: AES-256-GCM, with the number of its key in front.

One byte says the version of the layout, 8 bytes the number of the key, 12 bytes are the nonce, and what follows is the
ciphertext with its tag. Where a value stands (its table, column and row) is authenticated with it, so that it cannot be
moved to another place.
"""

from __future__ import annotations

import base64
import os
import struct
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
MOST_IN_ONE_KEY: Final = 2**32
"""Values that one key may seal with random nonces (NIST SP 800-38D, 8.3)."""
MARK: Final = "sealed:1:"
"""In front of an envelope that stands in a column of text."""
_VERSION: Final = 1
_NONCE_BYTES: Final = 12
_HEAD: Final = struct.Struct(">Bq")
_HEAD_BYTES: Final = _HEAD.size
_LEAST_BYTES: Final = _HEAD_BYTES + _NONCE_BYTES + 16


class EnvelopeError(Exception):
    """A value is no envelope, or was changed, moved or sealed by another key. It says nothing of the value."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key that seals values, ready for use. Neither its bytes nor its cipher show in its repr."""

    id: int
    """Stands in each envelope."""
    cipher: AESGCM = field(repr=False)

    @classmethod
    def of(cls, key_id: int, key: bytes) -> DataKey:
        """The key with this number; `key` has 32 bytes."""
        return cls(key_id, AESGCM(key))

    def seal(self, value: bytes, place: bytes) -> bytes:
        """The envelope of a value that stands at this place."""
        nonce = os.urandom(_NONCE_BYTES)
        return _HEAD.pack(_VERSION, self.id) + nonce + self.cipher.encrypt(nonce, value, place)

    def open(self, envelope: bytes, place: bytes) -> bytes:
        """The value of an envelope that this key sealed for this place. Raises EnvelopeError."""
        if key_of(envelope) != self.id:
            raise EnvelopeError("sealed by another key")
        nonce = envelope[_HEAD_BYTES : _HEAD_BYTES + _NONCE_BYTES]
        try:
            return self.cipher.decrypt(nonce, envelope[_HEAD_BYTES + _NONCE_BYTES :], place)
        except InvalidTag:
            raise EnvelopeError("changed, or moved from its place") from None


def new_key() -> bytes:
    """The bytes of a new data key."""
    return os.urandom(KEY_BYTES)


def key_of(envelope: bytes) -> int:
    """The number of the key that sealed it. Raises EnvelopeError."""
    if len(envelope) < _LEAST_BYTES:
        raise EnvelopeError("too short")
    version, key_id = _HEAD.unpack_from(envelope)
    if version != _VERSION:
        raise EnvelopeError("of an unknown version")
    return int(key_id)


def to_text(envelope: bytes) -> str:
    """The envelope as it stands in a column of text."""
    return MARK + base64.b64encode(envelope).decode()


def is_sealed(text: str) -> bool:
    """Whether a column of text holds an envelope."""
    return text.startswith(MARK)


def from_text(text: str) -> bytes:
    """The envelope in a column of text. Raises EnvelopeError."""
    try:
        return base64.b64decode(text.removeprefix(MARK), validate=True)
    except ValueError:
        raise EnvelopeError("not in base64") from None
