"""Looking up keys that callers show, and noting their use."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from messaging_service.access import resolve_keys
from messaging_service.access.domain.key_record import KeyRecord
from messaging_service.access.domain.key_terms import KeyTerms
from messaging_service.access.key_store import KeptKey, KeyFilter, KeyStore, Rotation
from messaging_service.access.manage_keys import IssuedKey
from messaging_service.access.resolve_keys import KeyUses, ResolveKeys
from service_kit.access.principal import AccessMode
from service_kit.audit.actor import Actor
from service_kit.errors import Kind, ServiceError

START = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
TERMS = KeyTerms("till", AccessMode.LIVE, None, None, frozenset({"*"}), (), None, None, None)
DIGEST = bytes(range(32))


class Store(KeyStore):
    """Has one key."""

    def __init__(self) -> None:
        self.key = KeyRecord("tk_live_00000000", TERMS, START, "ops")
        self.gate = asyncio.Event()
        self.gate.set()
        self.noted: list[Mapping[str, datetime]] = []
        self.is_away = False

    async def add(self, new: KeptKey, *, actor: Actor) -> bool:
        raise NotImplementedError

    async def find(self, key_id: str) -> KeptKey | None:
        await self.gate.wait()
        return KeptKey(self.key, DIGEST) if key_id == self.key.id else None

    async def list(
        self, wanted: KeyFilter, now: datetime, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[KeyRecord]:
        raise NotImplementedError

    async def replace(self, key_id: str, new: KeptKey, ends_at: datetime, *, actor: Actor) -> Rotation | None:
        raise NotImplementedError

    async def revoke(self, key_id: str, at: datetime, *, actor: Actor) -> KeyRecord | None:
        raise NotImplementedError

    async def note_uses(self, uses: Mapping[str, datetime]) -> None:
        if self.is_away:
            raise ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "it is away")
        self.noted.append(dict(uses))


class Log:
    """Nothing of interest."""

    def upkeep_failed(self, duty: str, error: ServiceError) -> None: ...

    def upkeep_crashed(self, duty: str, error: Exception) -> None: ...


def used(key_id: str, last: datetime | None = None) -> KeyRecord:
    return KeyRecord(key_id, TERMS, START, "ops", last_used_at=last)


async def test_uses_are_written_together_and_only_when_a_minute_is_over() -> None:
    store = Store()
    uses = KeyUses(store, Log(), every_s=1.0)
    uses.note(used("tk_live_a"), START)
    uses.note(used("tk_live_b", START - timedelta(seconds=59)), START)
    uses.note(used("tk_live_c", START - timedelta(seconds=60)), START)
    await uses.write()
    await uses.write()
    assert store.noted == [{"tk_live_a": START, "tk_live_c": START}]


async def test_uses_that_cannot_be_written_wait_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve_keys, "MOST_USES", 2)
    store = Store()
    uses = KeyUses(store, Log(), every_s=1.0)
    store.is_away = True
    for key_id in ("tk_live_a", "tk_live_b", "tk_live_c"):
        uses.note(used(key_id), START)
    with pytest.raises(ServiceError):
        await uses.write()
    later = START + timedelta(seconds=5)
    uses.note(used("tk_live_a"), later)
    store.is_away = False
    await uses.write()
    assert store.noted == [{"tk_live_a": later, "tk_live_b": START}]


async def test_look_ups_at_once_are_bounded() -> None:
    store = Store()
    store.gate.clear()
    resolving = ResolveKeys(store, KeyUses(store, Log(), every_s=1.0), now=lambda: START, at_once=2)
    waiting = [asyncio.ensure_future(resolving.resolve(store.key.id, DIGEST)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(ServiceError) as refused:
        await resolving.resolve(store.key.id, DIGEST)
    assert (refused.value.kind, refused.value.reason) == (Kind.OVERLOADED, "OVERLOADED")
    store.gate.set()
    assert [await each for each in waiting] == [store.key, store.key]
    assert await resolving.resolve(store.key.id, DIGEST) == store.key


def test_neither_secrets_nor_digests_are_shown() -> None:
    record = used("tk_live_a")
    assert repr(DIGEST) not in repr(KeptKey(record, DIGEST))
    assert "tk_live_a0123" not in repr(IssuedKey(record, "tk_live_a0123"))
