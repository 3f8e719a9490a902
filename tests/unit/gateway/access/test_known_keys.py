"""An answer about a key is kept for as long as nothing says otherwise, and never longer than that is safe."""

from __future__ import annotations

import asyncio
import math

import pytest

from gateway_http.access import known_keys
from gateway_http.access.known_keys import KeyCounts, KeyNotValidError, KnownKeys, NotCheckedError, ResolvedKey
from gateway_http.shared.asserted_caller import asserted
from service_kit.access.api_key import ApiKey, generate
from service_kit.access.principal import AccessMode, Principal, PrincipalKind

NOW = 1_000_000.0


class KeyService:
    """Answers what a key may do, at once or when the test lets it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failure: Exception | None = None
        self.expires_at = math.inf
        self.scopes = frozenset({"sms:send"})
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(self, key: ApiKey) -> ResolvedKey:
        self.asked.append(key.id)
        # As they are when it is asked.
        failure, scopes = self.failure, self.scopes
        await self.answers.wait()
        if failure is not None:
            raise failure
        principal = Principal(key.id, PrincipalKind.API_KEY, frozenset({"user1"}), scopes)
        return ResolvedKey(asserted(principal), (), self.expires_at)


class World:
    def __init__(self) -> None:
        self.service = KeyService()
        self.now = 0.0
        self.keys = KnownKeys(self.service, clock=lambda: self.now, wall_clock=lambda: NOW + self.now)
        self.key = generate(AccessMode.LIVE).key

    @property
    def questions(self) -> int:
        return len(self.service.asked)

    async def shown(self, key: ApiKey | None = None) -> ResolvedKey:
        return await self.keys.resolved(key or self.key)

    async def waiting(self, count: int) -> list[asyncio.Task[ResolvedKey]]:
        """So many requests that wait for an answer which does not come yet."""
        self.service.answers.clear()
        tasks = [asyncio.create_task(self.shown()) for _ in range(count)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return tasks


@pytest.fixture
def world() -> World:
    return World()


async def test_a_key_is_asked_about_once_in_thirty_seconds_while_the_watch_holds(world: World) -> None:
    world.keys.watch_opened()
    first = await world.shown()
    world.now = known_keys.WATCHED_S - 0.1
    assert await world.shown() is first
    assert world.keys.known(world.key.digest) is first
    assert world.questions == 1
    world.now = known_keys.WATCHED_S
    assert world.keys.known(world.key.digest) is None
    await world.shown()
    assert world.questions == 2


async def test_without_a_watch_it_is_asked_about_again_after_a_second(world: World) -> None:
    await world.shown()
    world.now = known_keys.UNWATCHED_S
    await world.shown()
    assert world.questions == 2


async def test_questions_and_what_is_at_hand_are_counted(world: World) -> None:
    world.now = 7.0
    assert world.keys.counts() == KeyCounts(hits=0, misses=0, valid=0, not_valid=0, staleness_s=7.0)
    world.keys.watch_opened()
    await world.shown()
    await world.shown()
    world.service.failure = KeyNotValidError()
    unknown = generate(AccessMode.LIVE).key
    for _ in range(3):
        with pytest.raises(KeyNotValidError):
            await world.shown(unknown)
    world.now = 9.0
    assert world.keys.counts() == KeyCounts(hits=3, misses=2, valid=1, not_valid=1, staleness_s=2.0)
    world.keys.forget([])
    assert world.keys.counts().staleness_s == 0


@pytest.mark.parametrize("event", ["opened", "lost"])
async def test_when_the_watch_begins_or_ends_what_is_known_is_in_doubt(world: World, event: str) -> None:
    if event == "lost":
        world.keys.watch_opened()
    await world.shown()
    getattr(world.keys, f"watch_{event}")()
    await world.shown()
    assert world.questions == 2


async def test_requests_with_the_same_key_wait_for_one_answer(world: World) -> None:
    waiting = await world.waiting(50)
    world.service.answers.set()
    assert len(set(map(id, await asyncio.gather(*waiting)))) == 1
    assert world.questions == 1


async def test_a_request_that_leaves_does_not_take_the_answer_from_the_others(world: World) -> None:
    first, second = await world.waiting(2)
    first.cancel()
    await asyncio.sleep(0)
    world.service.answers.set()
    assert (await second).caller.principal.id == world.key.id
    assert world.questions == 1


async def test_a_key_that_is_revoked_is_not_let_in_from_then_on(world: World) -> None:
    world.keys.watch_opened()
    await world.shown()
    world.service.failure = KeyNotValidError()
    world.keys.forget([world.key.id])
    with pytest.raises(KeyNotValidError):
        await world.shown()


async def test_a_key_that_is_revoked_while_it_is_asked_about_is_asked_about_again(world: World) -> None:
    world.keys.watch_opened()
    [waiting] = await world.waiting(1)
    world.service.failure = KeyNotValidError()
    world.keys.forget([world.key.id])
    world.service.answers.set()
    with pytest.raises(KeyNotValidError):
        await waiting
    assert world.questions == 2


async def test_a_key_that_is_not_valid_is_not_asked_about_for_five_seconds(world: World) -> None:
    world.service.failure = KeyNotValidError()
    for _ in range(3):
        with pytest.raises(KeyNotValidError):
            await world.shown()
    assert world.questions == 1
    world.now = known_keys.NOT_VALID_S
    world.service.failure = None
    await world.shown()


async def test_a_known_key_goes_on_for_a_minute_while_nobody_answers(world: World) -> None:
    world.keys.watch_opened()
    first = await world.shown()
    world.keys.watch_lost()
    world.service.failure = NotCheckedError()
    for world.now in (0.0, 1.0, 30.0, known_keys.GRACE_S - 0.1):
        assert await world.shown() is first
    world.now = known_keys.GRACE_S
    with pytest.raises(NotCheckedError):
        await world.shown()
    # It has to be confirmed before it is let in again.
    world.now = 1.0
    with pytest.raises(NotCheckedError):
        await world.shown()


async def test_within_that_minute_a_key_is_asked_about_once_a_second(world: World) -> None:
    await world.shown()
    world.service.failure = NotCheckedError()
    world.now = 10.0
    for _ in range(5):
        await world.shown()
    assert world.questions == 2


async def test_within_that_minute_a_key_that_was_revoked_is_out_at_once(world: World) -> None:
    world.keys.watch_opened()
    await world.shown()
    world.keys.forget([world.key.id])
    world.service.failure = NotCheckedError()
    with pytest.raises(NotCheckedError):
        await world.shown()


async def test_a_key_that_was_never_confirmed_is_turned_away_while_nobody_answers(world: World) -> None:
    world.service.failure = NotCheckedError()
    with pytest.raises(NotCheckedError):
        await world.shown()


async def test_a_key_ends_when_its_time_is_over_however_lately_it_was_confirmed(world: World) -> None:
    world.keys.watch_opened()
    world.service.expires_at = NOW + 5
    await world.shown()
    world.now = 4.9
    assert world.keys.known(world.key.digest) is not None
    world.now = 5.0
    assert world.keys.known(world.key.digest) is None
    with pytest.raises(KeyNotValidError):
        await world.shown()
    world.service.failure = NotCheckedError()
    world.now = 5.0 + known_keys.NOT_VALID_S
    with pytest.raises(NotCheckedError):
        await world.shown()


async def test_what_changed_about_a_key_holds_from_its_next_request(world: World) -> None:
    world.keys.watch_opened()
    await world.shown()
    world.service.scopes = frozenset({"sms:read"})
    world.keys.forget([world.key.id])
    assert (await world.shown()).caller.principal.scopes == {"sms:read"}


async def test_a_key_is_known_by_all_of_it(world: World) -> None:
    """Another key with the same id is another question, whatever is known of the first."""
    world.keys.watch_opened()
    await world.shown()
    forged = ApiKey(world.key.id, world.key.mode, generate(AccessMode.LIVE).key.digest)
    world.service.failure = KeyNotValidError()
    with pytest.raises(KeyNotValidError):
        await world.shown(forged)
    assert world.keys.known(world.key.digest) is not None


async def test_what_is_kept_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_keys, "MAX_KEYS", 3)
    world.keys.watch_opened()
    shown = [generate(AccessMode.LIVE).key for _ in range(5)]
    for key in shown:
        await world.shown(key)
    assert [world.keys.known(key.digest) is not None for key in shown] == [False, False, True, True, True]
    world.service.failure = KeyNotValidError()
    for key in (bad := [generate(AccessMode.LIVE).key for _ in range(4)]):
        with pytest.raises(KeyNotValidError):
            await world.shown(key)
    asked = world.questions
    for key in bad[1:]:
        with pytest.raises(KeyNotValidError):
            await world.shown(key)
    assert world.questions == asked


async def test_beyond_a_bound_of_questions_unknown_keys_are_turned_away_and_known_ones_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.shown()
    world.now = 10.0
    monkeypatch.setattr(known_keys, "MAX_QUESTIONS", 1)
    world.service.answers.clear()
    other = asyncio.create_task(world.shown(generate(AccessMode.LIVE).key))
    await asyncio.sleep(0)
    await world.shown()
    with pytest.raises(NotCheckedError):
        await world.shown(generate(AccessMode.LIVE).key)
    world.service.answers.set()
    await other


async def test_a_key_that_changes_with_every_answer_is_turned_away(world: World) -> None:
    world.keys.watch_opened()

    class Restless(KeyService):
        async def __call__(self, key: ApiKey) -> ResolvedKey:
            resolved = await super().__call__(key)
            keys.forget([key.id])
            return resolved

    keys = KnownKeys(Restless(), clock=lambda: 0.0, wall_clock=lambda: NOW)
    with pytest.raises(NotCheckedError):
        await keys.resolved(world.key)
