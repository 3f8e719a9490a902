"""The reader of changed keys: what watchers are told, in which order, and what ends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from messaging_service.access import watch_keys
from messaging_service.access.key_store import ChangedKeys, KeyChanges
from messaging_service.access.watch_keys import KeyWatch
from service_kit.errors import Kind, ServiceError
from tests.system.waiting import eventually

NEVER_S = 1_000_000.0


class Changes(KeyChanges):
    """Answers each look with what a test puts there."""

    def __init__(self) -> None:
        self.looks: list[str | None] = []
        self.next: list[str] = []
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def since(self, moment: str | None) -> ChangedKeys:
        self.looks.append(moment)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        found, self.next = self.next, []
        return ChangedKeys(str(len(self.looks)), found)


class Quiet:
    """Notes the failures of the duty."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def upkeep_failed(self, duty: str, error: ServiceError) -> None:
        self.failed.append(error.reason)

    def upkeep_crashed(self, duty: str, error: Exception) -> None:
        self.failed.append(type(error).__name__)


@asynccontextmanager
async def watching(changes: Changes, heartbeat_s: float = NEVER_S) -> AsyncIterator[KeyWatch]:
    watch = KeyWatch(changes, Quiet(), every_s=NEVER_S, heartbeat_s=heartbeat_s)
    running = asyncio.ensure_future(watch.run())
    try:
        yield watch
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def first(watch: KeyWatch) -> AsyncGenerator[Sequence[str], None]:
    """A watch that has begun."""
    news = watch.watch()
    assert await anext(news) == ()
    return news


async def reason_of(news: AsyncGenerator[Sequence[str], None]) -> tuple[Kind, str]:
    with pytest.raises(ServiceError) as ended:
        await anext(news)
    return ended.value.kind, ended.value.reason


async def test_ids_are_told_to_every_watcher_and_those_before_the_watch_are_not() -> None:
    changes = Changes()
    async with watching(changes) as watch:
        early = await first(watch)
        changes.next = ["tk_live_a"]
        late = await first(watch)
        assert await anext(early) == ("tk_live_a",)
        changes.next = ["tk_live_b", "tk_live_c"]
        watch.wake()
        assert await anext(early) == await anext(late) == ("tk_live_b", "tk_live_c")
        assert changes.looks == [None, "1", "2"]


async def test_who_comes_during_a_look_starts_with_the_next_one() -> None:
    changes = Changes()
    async with watching(changes) as watch:
        await first(watch)
        changes.gate.clear()
        watch.wake()
        await eventually("a look", lambda: _is(len(changes.looks) == 2))
        news = watch.watch()
        begun = asyncio.ensure_future(anext(news))
        await asyncio.sleep(0)
        changes.gate.set()
        assert await begun == ()
        assert len(changes.looks) == 3


async def test_while_nobody_watches_nobody_looks() -> None:
    changes = Changes()
    async with watching(changes) as watch:
        watch.wake()
        await asyncio.sleep(0)
        assert changes.looks == []
        news = await first(watch)
        await news.aclose()
        assert watch.watches == 0
        looked = len(changes.looks)
        for _ in range(10):
            watch.wake()
            await asyncio.sleep(0)
        assert len(changes.looks) == looked
        await first(watch)
        # From the present on, and not from where the one before stopped.
        assert changes.looks[looked] is None


async def test_a_look_that_finds_nothing_is_told_when_the_heartbeat_is_due() -> None:
    changes = Changes()
    async with watching(changes, heartbeat_s=0.0) as watch:
        news = await first(watch)
        watch.wake()
        assert await anext(news) == ()


async def test_a_look_that_fails_ends_the_watches_and_the_next_one_starts_anew() -> None:
    changes = Changes()
    async with watching(changes) as watch:
        news = await first(watch)
        changes.failure = ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "it is away")
        watch.wake()
        assert await reason_of(news) == (Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE")
        changes.failure = None
        await first(watch)
        assert changes.looks[-1] is None


async def test_the_end_of_the_process_ends_the_watches() -> None:
    async with watching(Changes()) as watch:
        news = await first(watch)
        watch.close()
        assert await reason_of(news) == (Kind.UNAVAILABLE, "SHUTTING_DOWN")
        assert await reason_of(watch.watch()) == (Kind.UNAVAILABLE, "SHUTTING_DOWN")


async def test_watches_are_bounded_in_number_and_in_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_keys, "MOST_WATCHES", 1)
    monkeypatch.setattr(watch_keys, "MOST_WAITING", 3)
    monkeypatch.setattr(watch_keys, "IDS_AT_ONCE", 2)
    changes = Changes()
    async with watching(changes) as watch:
        news = await first(watch)
        assert await reason_of(watch.watch()) == (Kind.OVERLOADED, "TOO_MANY_WATCHES")
        changes.next = ["tk_live_a", "tk_live_b", "tk_live_c"]
        watch.wake()
        assert await anext(news) == ("tk_live_a", "tk_live_b")
        assert await anext(news) == ("tk_live_c",)
        changes.next = ["tk_live_a", "tk_live_b", "tk_live_c", "tk_live_d"]
        watch.wake()
        assert await reason_of(news) == (Kind.OVERLOADED, "WATCHER_TOO_SLOW")


async def _is(fact: bool) -> bool:
    return fact
