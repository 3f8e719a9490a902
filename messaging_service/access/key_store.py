"""The ports to the keys on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from messaging_service.access.domain.key_record import KeyRecord, KeyStatus
from service_kit.audit.actor import Actor


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key with the digest by which it is known again."""

    record: KeyRecord
    digest: bytes = field(repr=False)
    """SHA-256 of the whole key, 32 octets."""


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """Which keys to list. None means any."""

    account_id: str | None = None
    """Keys that may act for this account by name; those for all accounts are not among them."""
    status: KeyStatus | None = None


class Rotation(NamedTuple):
    """Two keys after one replaced the other."""

    replaced: KeyRecord
    """As it ends."""
    successor: KeyRecord


class KeyStore(Protocol):
    """The keys. What makes or ends one audits it in the same transaction, for the actor.

    Every method raises ServiceError DATABASE_UNAVAILABLE when the database cannot be reached.
    """

    async def add(self, new: KeptKey, *, actor: Actor) -> bool:
        """Records a new key; False when another one has its id."""
        ...

    async def find(self, key_id: str) -> KeptKey | None:
        """A key as it stands; None when there is none."""
        ...

    async def list(
        self, wanted: KeyFilter, now: datetime, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[KeyRecord]:
        """Keys, newest first, those behind an instant and id. `now`: the instant at which they stand as is wanted."""
        ...

    async def replace(self, key_id: str, new: KeptKey, ends_at: datetime, *, actor: Actor) -> Rotation | None:
        """Records a key in the place of another one, which ends at `ends_at` unless it ends sooner.

        None, and nothing is done, when the other one is not there, was revoked or replaced, or expired before the new
        one was made, or when another key has the id of the new one.
        """
        ...

    async def revoke(self, key_id: str, at: datetime, *, actor: Actor) -> KeyRecord | None:
        """Ends a key for an actor; one that was revoked before stays as it is. None when there is none."""
        ...

    async def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Records when keys were used, by their ids, unless a use less than a minute before is on record."""
        ...


class ChangedKeys(NamedTuple):
    """What changed up to a moment."""

    moment: str
    """To go on from; whatever is committed later is no part of it."""
    ids: Sequence[str]


class KeyChanges(Protocol):
    """The changes of keys that all processes commit. Uses are no changes."""

    async def since(self, moment: str | None) -> ChangedKeys:
        """The keys that changed after a moment, each once, also those whose change was under way then.

        None: no key, and the present moment. Raises ServiceError DATABASE_UNAVAILABLE.
        """
        ...
