"""The port to what keeps data keys: they are stored wrapped by a key that the database never sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as it is stored."""

    wrapped_by: str
    """Names the key-encryption key, for instance `2026-12`."""
    wrapped: bytes = field(repr=False)


class WrapperDownError(Exception):
    """What keeps the keys cannot be reached now, or does not answer in time; the message is for an operator."""


class WrapperError(Exception):
    """A key cannot be unwrapped: its key-encryption key is not there, or it was changed. For an operator."""


class KeyWrapper(Protocol):
    """Wraps and unwraps data keys. Raises WrapperDownError, or WrapperError."""

    async def present(self) -> str:
        """The name of the key-encryption key that wraps now."""
        ...

    async def wrap(self, keys: Sequence[tuple[bytes, bytes]]) -> Sequence[WrappedKey]:
        """Wraps keys, each with what it is for, which is authenticated with it."""
        ...

    async def unwrap(self, keys: Sequence[tuple[WrappedKey, bytes]]) -> Sequence[bytes]:
        """Unwraps keys, each with what it is for."""
        ...
