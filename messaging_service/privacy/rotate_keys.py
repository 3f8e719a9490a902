"""Wraps data keys anew under the key-encryption key that comes first; what they seal is not touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from service_kit.audit.actor import Actor

AT_ONCE: Final = 500
"""Data keys that one call wraps anew."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """How far a rotation is."""

    wrapped_by: str
    """The key-encryption key that wraps now."""
    rewrapped: int
    more: bool
    """Whether another key-encryption key still wraps some."""


class RotateKeys:
    """The use case behind RotateKeys."""

    def __init__(self, rotation: KeyRotation) -> None:
        self._rotation = rotation

    async def __call__(self, actor: Actor) -> Rotated:
        """Wraps some data keys anew. Raises ServiceError as KeyRotation."""
        return await self._rotation.step(AT_ONCE, actor)


class KeyRotation(Protocol):
    """Where data keys are wrapped anew."""

    async def step(self, limit: int, actor: Actor) -> Rotated:
        """Wraps up to `limit` of them. Raises ServiceError KEYS_NOT_SET, KEYS_UNAVAILABLE or DATABASE_UNAVAILABLE."""
        ...
