"""Makes, shows, rotates and revokes keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from messaging_service.access.domain.key_record import (
    KeyRecord,
    checked_overlap,
    no_such_key,
    require_rotatable,
    terms_of_successor,
)
from messaging_service.access.domain.key_terms import KeyTerms, require_grantable
from messaging_service.access.key_store import KeptKey, KeyFilter, KeyStore
from service_kit.access.api_key import generate
from service_kit.access.principal import Principal
from service_kit.audit.actor import Actor


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key with its secret, which is known at this moment only."""

    record: KeyRecord
    secret: str = field(repr=False)
    """The whole key."""


@dataclass(frozen=True, slots=True)
class RotatedKey:
    """A key that replaces another one."""

    issued: IssuedKey
    replaced: KeyRecord
    """The old key, with the instant at which it ends."""


class ManageKeys:
    """The use cases behind the calls of those who run the platform."""

    def __init__(self, keys: KeyStore, *, now: Callable[[], datetime], changed: Callable[[], None]) -> None:
        """`now`: the present instant, in UTC. `changed` is called when a key came to an end, or will."""
        self._keys = keys
        self._now = now
        self._changed = changed

    @property
    def now(self) -> Callable[[], datetime]:
        """The clock by which keys expire."""
        return self._now

    async def create(self, terms: KeyTerms, by: Principal, *, actor: Actor) -> IssuedKey:
        """Makes a key of terms without a fault. Raises ServiceError PERMISSION_DENIED."""
        require_grantable(terms, by)
        while True:
            kept, secret = self._new(terms, by)
            if await self._keys.add(kept, actor=actor):
                return IssuedKey(kept.record, secret)

    async def get(self, key_id: str) -> KeyRecord:
        """A key as it stands. Raises ServiceError KEY_NOT_FOUND."""
        kept = await self._keys.find(key_id)
        if kept is None:
            raise no_such_key()
        return kept.record

    async def list(self, wanted: KeyFilter, limit: int, after: tuple[datetime, str] | None) -> Sequence[KeyRecord]:
        """Keys, newest first, those behind an instant and id."""
        return await self._keys.list(wanted, self._now(), limit, after)

    async def rotate(self, key_id: str, overlap: timedelta | None, by: Principal, *, actor: Actor) -> RotatedKey:
        """Makes a key of the same terms; the old one ends after an overlap, a day when it is None.

        Raises ServiceError INVALID, KEY_NOT_FOUND, KEY_ENDED, KEY_REPLACED or PERMISSION_DENIED.
        """
        overlap = checked_overlap(overlap)
        while True:
            old = await self.get(key_id)
            now = self._now()
            require_rotatable(old, now)
            require_grantable(old.terms, by)
            kept, secret = self._new(terms_of_successor(old, now), by)
            # None when the key came to an end meanwhile, as the next round says, or when an id was drawn twice.
            rotation = await self._keys.replace(key_id, kept, kept.record.created_at + overlap, actor=actor)
            if rotation is not None:
                self._changed()
                return RotatedKey(IssuedKey(rotation.successor, secret), rotation.replaced)

    async def revoke(self, key_id: str, *, actor: Actor) -> KeyRecord:
        """Ends a key at once; again is harmless. Raises ServiceError KEY_NOT_FOUND."""
        record = await self._keys.revoke(key_id, self._now(), actor=actor)
        if record is None:
            raise no_such_key()
        self._changed()
        return record

    def _new(self, terms: KeyTerms, by: Principal) -> tuple[KeptKey, str]:
        new = generate(terms.mode)
        return KeptKey(KeyRecord(new.key.id, terms, self._now(), by.id), new.key.digest), new.text
