"""One reader for all watchers: what it costs, whom it gives up, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from uuid import UUID

import pytest

from messaging_service.events.domain.event_cursor import EventFilter, Position
from messaging_service.events.event_tail import EventTail, Subscription, TailLimits
from messaging_service.events.watch_outbox import WatchOutbox
from messaging_service.shared.domain.states import State
from service_kit.errors import Kind, ServiceError
from tests.doubles.event_journal import ACCOUNT, OTHER_ACCOUNT, InMemoryJournal

MINE = EventFilter(ACCOUNT)


class Report:
    def __init__(self) -> None:
        self.failures: list[Exception] = []

    def upkeep_failed(self, duty: str, error: ServiceError) -> None:
        """The watchers hear of it."""

    def upkeep_crashed(self, duty: str, error: Exception) -> None:
        self.failures.append(error)


@pytest.fixture
def journal() -> InMemoryJournal:
    return InMemoryJournal()


def tail_of(
    journal: InMemoryJournal, *, watches: int = 10, buffer: int = 3, page: int = 100, report: Report | None = None
) -> EventTail:
    return EventTail(journal, TailLimits(60.0, watches, buffer, page=page), report or Report())


async def commit(journal: InMemoryJournal, *messages: UUID, to_state: State = State.READY) -> list[int]:
    writer = await journal.begin()
    written = [await writer.write(message, to_state) for message in messages]
    await writer.commit()
    return written


@asynccontextmanager
async def running(tail: EventTail) -> AsyncIterator[None]:
    task = asyncio.create_task(tail.run())
    try:
        yield
    finally:
        task.cancel()


async def ids(subscription: Subscription) -> list[int]:
    return [logged.event.id for logged in (await subscription.next(60.0)).events]


async def test_one_look_serves_every_watcher_with_what_it_wants(journal: InMemoryJournal) -> None:
    tail = tail_of(journal)
    mine, theirs = await journal.message(), await journal.message(OTHER_ACCOUNT)
    with (
        tail.subscribed(MINE) as first,
        tail.subscribed(EventFilter(ACCOUNT, states=frozenset({State.REFUSED}))) as second,
        tail.subscribed(EventFilter(OTHER_ACCOUNT)) as third,
    ):
        await tail.look()
        written = await commit(journal, mine, theirs)
        (failed,) = await commit(journal, mine, to_state=State.REFUSED)
        looks = journal.looks
        await tail.look()
        assert journal.looks == looks + 1
        assert await ids(first) == [written[0], failed]
        assert await ids(second) == [failed]
        assert await ids(third) == [written[1]]


async def test_a_watcher_that_comes_during_a_look_of_several_pages_starts_after_it_came(
    journal: InMemoryJournal,
) -> None:
    tail = tail_of(journal, buffer=100, page=2)
    message = await journal.message()
    with tail.subscribed(MINE) as first:
        await tail.look()
        early = [(await commit(journal, message))[0] for _ in range(5)]
        await tail.look()
        # The goal of this way lies before what is committed now, and the second watcher comes after that.
        (between,) = await commit(journal, message)
        with tail.subscribed(MINE) as second:
            while not second.is_live:
                await tail.look()
            (late,) = await commit(journal, message)
            await tail.look()
            given = {name: await everything(watcher) for name, watcher in (("first", first), ("second", second))}
    assert given == {"first": [*early, between, late], "second": [late]}


async def everything(subscription: Subscription) -> list[int]:
    """All that waits for a watcher."""
    found: list[int] = []
    while (step := await subscription.next(0.0)).events:
        found += [logged.event.id for logged in step.events]
    return found


async def test_a_slow_watcher_is_given_up_and_the_others_are_not(journal: InMemoryJournal) -> None:
    tail = tail_of(journal, buffer=3)
    message = await journal.message()
    with tail.subscribed(MINE) as slow, tail.subscribed(MINE) as quick:
        await tail.look()
        for _ in range(4):
            written = await commit(journal, message)
            await tail.look()
            assert await ids(quick) == written
        with pytest.raises(ServiceError) as caught:
            await slow.next(60.0)
    assert (caught.value.kind, caught.value.reason) == (Kind.OVERLOADED, "WATCHER_TOO_SLOW")
    assert "cursor" in caught.value.message


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("too_much", [False, True])
async def test_a_silence_that_ends_as_something_comes_skips_nothing(
    journal: InMemoryJournal, turns: int, *, too_much: bool
) -> None:
    tail = tail_of(journal, buffer=3)
    message = await journal.message()
    with tail.subscribed(MINE) as subscription:
        await tail.look()
        coming = asyncio.ensure_future(subscription.next(0.0))
        for _ in range(turns):
            await asyncio.sleep(0)
        (first, *_) = await commit(journal, *[message] * (4 if too_much else 1))
        # One turn of the loop, as the fake never waits.
        await tail.look()
        try:
            step = await coming
        except ServiceError as error:
            assert too_much and error.reason == "WATCHER_TOO_SLOW"  # noqa: PT017, PT018 - either end is right
            return
        seen = step.position.seen.saw(100 + 1)
        assert seen is bool(step.events)
        assert [logged.event.id for logged in step.events] in ([], [first])


async def test_nobody_watching_costs_no_look(journal: InMemoryJournal) -> None:
    tail = tail_of(journal)
    async with running(tail):
        with tail.subscribed(MINE) as subscription:
            await subscription.started()
        looks = journal.looks
        for _ in range(3):
            tail.wake()
            await asyncio.sleep(0)
        assert journal.looks == looks


async def test_a_change_here_is_looked_for_at_once(journal: InMemoryJournal) -> None:
    tail = tail_of(journal)
    message = await journal.message()
    async with running(tail), asyncio.timeout(10):
        with tail.subscribed(MINE) as subscription:
            await subscription.started()
            written = await commit(journal, message)
            tail.wake()
            # The poll would come after a minute.
            assert await ids(subscription) == written


async def test_a_watch_too_many_is_refused_until_another_one_ends(journal: InMemoryJournal) -> None:
    tail = tail_of(journal, watches=1)
    with tail.admitted():
        with pytest.raises(ServiceError) as caught, tail.admitted():
            pass
        assert (caught.value.kind, caught.value.reason) == (Kind.OVERLOADED, "TOO_MANY_WATCHES")
        assert caught.value.retry_after
    with tail.admitted():
        pass


async def test_the_end_of_the_service_ends_watches_and_refuses_new_ones(journal: InMemoryJournal) -> None:
    tail = tail_of(journal)
    async with running(tail):
        with tail.subscribed(MINE) as subscription:
            await subscription.started()
            waiting = asyncio.create_task(subscription.next(60.0))
            await asyncio.sleep(0)
            tail.close()
            with pytest.raises(ServiceError) as caught:
                await waiting
            assert (caught.value.kind, caught.value.reason) == (Kind.UNAVAILABLE, "SHUTTING_DOWN")
    with pytest.raises(ServiceError, match="SHUTTING_DOWN"), tail.admitted():
        pass


async def test_a_database_that_is_away_ends_watches_and_later_ones_go_on(journal: InMemoryJournal) -> None:
    tail = tail_of(journal)
    away = ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "away")
    async with running(tail):
        with tail.subscribed(MINE) as subscription:
            await subscription.started()
            journal.failure = away
            tail.wake()
            with pytest.raises(ServiceError, match="DATABASE_UNAVAILABLE"):
                await subscription.next(60.0)
        journal.failure = None
        with tail.subscribed(MINE) as later:
            assert (await later.started()).until is None


async def test_an_error_that_nothing_foresaw_is_reported_and_does_not_end_the_reader(journal: InMemoryJournal) -> None:
    report = Report()
    tail = tail_of(journal, report=report)
    journal.failure = ValueError("unforeseen")
    async with running(tail):
        with tail.subscribed(MINE) as subscription, pytest.raises(ValueError, match="unforeseen"):
            await subscription.started()
        assert report.failures == [journal.failure]
        journal.failure = None
        with tail.subscribed(MINE) as later:
            assert (await later.started()).until is None


async def test_a_silence_brings_the_newest_cursor_however_much_others_do(journal: InMemoryJournal) -> None:
    tail = tail_of(journal)
    theirs = await journal.message(OTHER_ACCOUNT)
    with tail.subscribed(MINE) as subscription:
        await tail.look()
        before = (await subscription.next(0.0)).position
        await commit(journal, theirs)
        await tail.look()
        step = await subscription.next(0.0)
        assert not step.events
        assert step.position.seen.first_unseen > before.seen.first_unseen


async def test_a_position_from_another_database_is_refused(journal: InMemoryJournal) -> None:
    watch = WatchOutbox(tail_of(journal), journal, None)  # type: ignore[arg-type]  # entries are not watched here
    foreign = InMemoryJournal(transactions=10_000)
    await commit(foreign, await foreign.message())
    with pytest.raises(ServiceError, match="INVALID_ARGUMENT") as caught:
        async with aclosing(watch.account(MINE, Position(await foreign.present()), 1.0)) as stream:
            await anext(stream)
    assert caught.value.violations[0].field == "cursor"
