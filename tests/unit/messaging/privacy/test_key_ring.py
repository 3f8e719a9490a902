"""Data keys are made once, kept for a while, and go on for a bounded time while what keeps them is away."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path

import pytest

from messaging_service.privacy.data_key_store import DataKeyStore, NewKey, StoredKey
from messaging_service.privacy.domain.key_scope import INDEX, KeyScope
from messaging_service.privacy.sealing.key_ring import FRESH_S, RETRY_S, USABLE_S, KeyRing
from service_kit.audit.actor import Actor
from service_kit.encryption.key_file import KeyFile
from service_kit.encryption.key_wrapper import KeyWrapper, WrappedKey, WrapperDownError
from service_kit.errors import ServiceError
from tests.system.sealing import key_file

JUNE = KeyScope("user123", date(2026, 6, 1))
JULY = KeyScope("user123", date(2026, 7, 1))


class Store(DataKeyStore):
    """The port DataKeyStore in a list, which counts its questions."""

    def __init__(self) -> None:
        self.keys: list[StoredKey] = []
        self.questions = 0

    async def of_scopes(self, scopes: Collection[KeyScope]) -> Sequence[StoredKey]:
        self.questions += 1
        return [key for key in self.keys if key.scope in scopes]

    async def of_ids(self, ids: Collection[int]) -> Sequence[StoredKey]:
        self.questions += 1
        return [key for key in self.keys if key.id in ids]

    async def add(self, keys: Sequence[NewKey]) -> None:
        there = {key.scope for key in self.keys}
        self.keys += [
            StoredKey(len(self.keys) + number, key.scope, key.wrapped_by, key.wrapped)
            for number, key in enumerate(keys, 1)
            if key.scope not in there
        ]

    async def not_wrapped_by(self, name: str, limit: int) -> Sequence[StoredKey]:
        return [key for key in self.keys if key.wrapped_by != name][:limit]

    async def rewrap(self, old: Sequence[StoredKey], new: Sequence[NewKey], actor: Actor) -> int:
        raise NotImplementedError

    def destroy(self, scope: KeyScope) -> None:
        self.keys = [dataclasses.replace(key, wrapped=None) if key.scope == scope else key for key in self.keys]


class Keeper(KeyWrapper):
    """A KeyFile that can be away."""

    def __init__(self, path: Path) -> None:
        self._file = KeyFile(path)
        self.is_away = False

    def _check(self) -> None:
        if self.is_away:
            raise WrapperDownError("away")

    async def present(self) -> str:
        return await self._file.present()

    async def wrap(self, keys: Sequence[tuple[bytes, bytes]]) -> Sequence[WrappedKey]:
        self._check()
        return await self._file.wrap(keys)

    async def unwrap(self, keys: Sequence[tuple[WrappedKey, bytes]]) -> Sequence[bytes]:
        self._check()
        return await self._file.unwrap(keys)


class World:
    def __init__(self, path: Path) -> None:
        self.store, self.keeper, self.now = Store(), Keeper(path), 0.0

    def ring(self) -> KeyRing:
        return KeyRing(self.store, self.keeper, monotonic=lambda: self.now)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(key_file(tmp_path))


async def test_a_key_is_made_once_and_asked_for_no_more_while_it_is_fresh(world: World) -> None:
    ring = world.ring()
    first = (await ring.sealing([JUNE]))[JUNE]
    asked = world.store.questions
    for _ in range(100):
        assert (await ring.sealing([JUNE]))[JUNE] is first
    assert world.store.questions == asked
    assert len(world.store.keys) == 1


async def test_each_account_and_month_has_its_own_key_and_processes_share_them(world: World) -> None:
    one, other = world.ring(), world.ring()
    keys = await one.sealing([JUNE, JULY])
    assert keys[JUNE].id != keys[JULY].id
    envelope = keys[JUNE].seal(b"text", b"here")
    opened = (await other.opening([keys[JUNE].id]))[keys[JUNE].id]
    assert opened is not None
    assert opened.open(envelope, b"here") == b"text"
    assert (await other.sealing([JUNE]))[JUNE].id == keys[JUNE].id


async def test_a_destroyed_key_is_noticed_soon_and_never_comes_back(world: World) -> None:
    ring = world.ring()
    key = (await ring.sealing([JUNE]))[JUNE]
    world.store.destroy(JUNE)
    assert (await ring.opening([key.id]))[key.id] is not None
    world.now += FRESH_S
    assert (await ring.opening([key.id]))[key.id] is None
    assert (await ring.sealing([JUNE])) == {}


async def test_a_number_that_nobody_gave_out_counts_as_destroyed(world: World) -> None:
    assert await world.ring().opening([99]) == {99: None}


async def test_keys_at_hand_go_on_for_a_bounded_time_while_their_keeper_is_away(world: World) -> None:
    ring = world.ring()
    key = (await ring.sealing([JUNE, INDEX]))[JUNE]
    await ring.index()
    world.keeper.is_away = True
    world.now = FRESH_S
    assert (await ring.sealing([JUNE]))[JUNE] is key
    asked = world.store.questions
    assert (await ring.opening([key.id]))[key.id] is key
    assert world.store.questions == asked, "it is not asked again at once"
    assert await ring.sealing([JULY]) == {}
    world.now = USABLE_S
    assert await ring.sealing([JUNE]) == {}
    assert await ring.opening([key.id]) == {}
    world.keeper.is_away = False
    world.now += RETRY_S
    assert (await ring.sealing([JUNE]))[JUNE].id == key.id


async def test_the_index_is_the_same_in_every_process_and_needs_its_key(world: World) -> None:
    one, other = await world.ring().index(), await world.ring().index()
    assert one.of_phone("+254712345678") == other.of_phone("+254712345678") != one.of_phone("+254712345679")
    assert one.hidden("+254712345678").startswith("#")
    assert one.fingerprint(bytes(32)) != bytes(32)
    world.keeper.is_away = True
    with pytest.raises(ServiceError, match="KEYS_UNAVAILABLE"):
        await world.ring().index()


async def test_the_keys_of_a_month_are_those_of_its_scopes_and_go_with_them(world: World) -> None:
    ring = world.ring()
    assert JUNE.month is not None
    assert JULY.month is not None
    june = await ring.of_month(JUNE.month, ["user123", "another"])
    assert june["user123"] is (await ring.sealing([JUNE]))[JUNE]
    asked = world.store.questions
    assert await ring.of_month(JUNE.month, ["another", "user123"]) == june
    assert world.store.questions == asked
    july = await ring.of_month(JULY.month, ["user123"])
    assert july["user123"].id != june["user123"].id
    assert (await ring.of_month(JUNE.month, ["user123"]))["user123"] is june["user123"]
    world.store.destroy(JUNE)
    world.now += FRESH_S
    assert (await ring.of_month(JUNE.month, ["user123", "another"])).keys() == {"another"}
