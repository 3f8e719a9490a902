"""Key-encryption keys in a file: one a line, `name:base64 of 32 bytes`. The first one wraps, all of them unwrap."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from typing_extensions import override

from service_kit.encryption.envelope import KEY_BYTES
from service_kit.encryption.key_wrapper import KeyWrapper, WrappedKey, WrapperDownError, WrapperError

_NONCE_BYTES: Final = 12
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def parse_keys(text: str) -> Mapping[str, bytes]:
    """The keys of a file, the one that wraps first; empty lines and lines with `#` in front are left out.

    Raises ValueError with a sentence that names a line and holds nothing of it.
    """
    keys: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not (said := line.strip()) or said.startswith("#"):
            continue
        name, separator, encoded = said.partition(":")
        if not separator or not _NAME.fullmatch(name):
            raise ValueError(f"line {number} is not name:key, with a name of letters, digits, `.`, `_` and `-`")
        if name in keys:
            raise ValueError(f"line {number} gives a name again; each key has a name of its own")
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise ValueError(f"the key in line {number} is not base64") from None
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key in line {number} has {len(key)} bytes; make one by `openssl rand -base64 32`")
        keys[name] = key
    if not keys:
        raise ValueError("holds no key; make one by `openssl rand -base64 32` and write it as name:key")
    return keys


class KeyFile(KeyWrapper):
    """Implements KeyWrapper on a file, which is read again when it changes."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError when the file cannot be read, or holds no keys."""
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._keys: Mapping[str, bytes] = {}
        try:
            self._read()
        except OSError as error:
            raise ValueError(f"the file of keys cannot be read: {error.strerror}") from None

    def _read(self) -> Mapping[str, bytes]:
        status = self._path.stat()
        seen = (status.st_mtime_ns, status.st_ino)
        if seen != self._seen:
            self._keys, self._seen = parse_keys(self._path.read_text(encoding="utf-8")), seen
        return self._keys

    def _known(self) -> Mapping[str, bytes]:
        """The keys of the file; those read before while it is away, or being written."""
        try:
            return self._read()
        except (OSError, ValueError):
            if not self._keys:
                raise WrapperDownError("the file of key-encryption keys cannot be read") from None
            return self._keys

    @override
    async def present(self) -> str:
        return next(iter(self._known()))

    @override
    async def wrap(self, keys: Sequence[tuple[bytes, bytes]]) -> Sequence[WrappedKey]:
        name, wrapping = next(iter(self._known().items()))
        cipher, found = AESGCM(wrapping), []
        for key, purpose in keys:
            nonce = os.urandom(_NONCE_BYTES)
            found.append(WrappedKey(name, nonce + cipher.encrypt(nonce, key, purpose)))
        return found

    @override
    async def unwrap(self, keys: Sequence[tuple[WrappedKey, bytes]]) -> Sequence[bytes]:
        known, found = self._known(), []
        for key, purpose in keys:
            wrapping = known.get(key.wrapped_by)
            if wrapping is None:
                raise WrapperError(f"the file has no key-encryption key {key.wrapped_by}; put it back")
            try:
                cipher = AESGCM(wrapping)
                found.append(cipher.decrypt(key.wrapped[:_NONCE_BYTES], key.wrapped[_NONCE_BYTES:], purpose))
            except InvalidTag:
                raise WrapperError(f"a data key was not wrapped by the key {key.wrapped_by} in the file") from None
        return found
