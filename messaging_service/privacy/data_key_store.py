"""The port to the stored data keys."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from messaging_service.privacy.domain.key_scope import KeyScope
from service_kit.audit.actor import Actor


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A data key as it is stored."""

    id: int
    """Given by the database; stands in each envelope that the key seals."""
    scope: KeyScope
    wrapped_by: str
    """Names the key-encryption key."""
    wrapped: bytes | None = field(repr=False)
    """None once the key is destroyed: what it sealed cannot be read any more, not even in a backup without the key."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A data key to store."""

    scope: KeyScope
    wrapped_by: str
    wrapped: bytes = field(repr=False)


class DataKeyStore(Protocol):
    """Data keys, one for each scope. Every method raises ServiceError DATABASE_UNAVAILABLE."""

    async def of_scopes(self, scopes: Collection[KeyScope]) -> Sequence[StoredKey]:
        """The keys of those scopes that have one."""
        ...

    async def of_ids(self, ids: Collection[int]) -> Sequence[StoredKey]:
        """Those of the keys that there are."""
        ...

    async def add(self, keys: Sequence[NewKey]) -> None:
        """Stores keys, except those whose scope has one already."""
        ...

    async def not_wrapped_by(self, name: str, limit: int) -> Sequence[StoredKey]:
        """Keys that another key-encryption key wraps, oldest first; destroyed ones are left out."""
        ...

    async def rewrap(self, old: Sequence[StoredKey], new: Sequence[NewKey], actor: Actor) -> int:
        """Puts new wrappings in the place of old ones that are still there, and on record who did; how many."""
        ...
