"""Concurrent work that shares one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from messaging_service.shared.group_commit import GroupCommit
from service_kit.errors import Kind, ServiceError

pytestmark = pytest.mark.timeout(10)


class Ledger:
    """Records flushes; each waits for its permit when `held` is set."""

    def __init__(self) -> None:
        self.flushes: list[list[str]] = []
        self.refused: set[str] = set()
        self.poison: set[str] = set()
        self.away: ServiceError | None = None
        self.started = asyncio.Event()
        self.permits: asyncio.Semaphore | None = None

    async def flush(self, items: Sequence[str]) -> Sequence[str | ServiceError]:
        self.flushes.append(list(items))
        self.started.set()
        if self.permits is not None:
            await self.permits.acquire()
        if self.away is not None:
            raise self.away
        if self.poison & set(items):
            raise RuntimeError("cannot be stored")
        return [refusal(item) if item in self.refused else item.upper() for item in items]


def refusal(item: str) -> ServiceError:
    return ServiceError(Kind.FAILED_PRECONDITION, "REFUSED", item)


def group(ledger: Ledger, *, max_batch: int = 100, max_waiting: int = 100) -> GroupCommit[str, str]:
    return GroupCommit("test", ledger.flush, max_batch=max_batch, max_waiting=max_waiting)


async def test_a_lone_caller_is_flushed_in_the_same_turn_of_the_loop() -> None:
    ledger = Ledger()
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while not ledger.flushes:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count_turns())
    assert await group(ledger).submit("a") == "A"
    await counting
    assert ledger.flushes == [["a"]]
    assert turns <= 3


async def test_callers_of_one_turn_share_a_flush_and_each_gets_its_own_result() -> None:
    ledger = Ledger()
    commits = group(ledger)
    answers = await asyncio.gather(*(commits.submit(item) for item in "abcde"))
    assert answers == list("ABCDE")
    assert ledger.flushes == [list("abcde")]


async def test_what_arrives_during_a_flush_goes_with_the_next_one() -> None:
    ledger = Ledger()
    ledger.permits = asyncio.Semaphore(0)
    commits = group(ledger)
    first = asyncio.ensure_future(commits.submit("a"))
    await ledger.started.wait()
    later = [asyncio.ensure_future(commits.submit(item)) for item in "bcd"]
    await asyncio.sleep(0)
    assert ledger.flushes == [["a"]]
    ledger.permits.release()
    assert await first == "A"
    assert not any(task.done() for task in later)
    ledger.permits.release()
    assert await asyncio.gather(*later) == list("BCD")
    assert ledger.flushes == [["a"], ["b", "c", "d"]]


async def test_a_flush_is_bounded_and_keeps_the_order() -> None:
    ledger = Ledger()
    commits = group(ledger, max_batch=2)
    await asyncio.gather(*(commits.submit(item) for item in "abcde"))
    assert ledger.flushes == [["a", "b"], ["c", "d"], ["e"]]


async def test_an_item_that_is_refused_fails_alone() -> None:
    ledger = Ledger()
    ledger.refused = {"b"}
    commits = group(ledger)
    answers = await asyncio.gather(*(commits.submit(item) for item in "abc"), return_exceptions=True)
    assert (answers[0], answers[2]) == ("A", "C")
    assert isinstance(answers[1], ServiceError)
    assert answers[1].message == "b"
    assert len(ledger.flushes) == 1


async def test_an_item_that_breaks_its_flush_fails_alone() -> None:
    ledger = Ledger()
    ledger.poison = {"c"}
    commits = group(ledger)
    answers = await asyncio.gather(*(commits.submit(item) for item in "abcd"), return_exceptions=True)
    assert [answer for answer in answers if isinstance(answer, str)] == ["A", "B", "D"]
    assert isinstance(answers[2], RuntimeError)
    assert ledger.flushes == [list("abcd"), ["a"], ["b"], ["c"], ["d"]]
    assert await commits.submit("e") == "E"


async def test_a_database_that_is_away_fails_all_and_is_not_asked_for_each() -> None:
    ledger = Ledger()
    ledger.away = ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "away")
    commits = group(ledger)
    answers = await asyncio.gather(*(commits.submit(item) for item in "abc"), return_exceptions=True)
    assert answers == [ledger.away] * 3
    assert ledger.flushes == [list("abc")]
    ledger.away = None
    assert await commits.submit("d") == "D"


async def test_too_many_waiting_items_are_turned_away_at_once() -> None:
    ledger = Ledger()
    ledger.permits = asyncio.Semaphore(0)
    commits = group(ledger, max_waiting=2)
    running = asyncio.ensure_future(commits.submit("a"))
    await ledger.started.wait()
    waiting = [asyncio.ensure_future(commits.submit(item)) for item in "bc"]
    await asyncio.sleep(0)
    with pytest.raises(ServiceError) as caught:
        await commits.submit("d")
    assert (caught.value.kind, caught.value.reason) == (Kind.OVERLOADED, "OVERLOADED")
    assert caught.value.retry_after is not None
    for _ in range(2):
        ledger.permits.release()
    assert await asyncio.gather(running, *waiting) == ["A", "B", "C"]


async def test_a_caller_that_leaves_does_not_take_its_item_back() -> None:
    ledger = Ledger()
    ledger.permits = asyncio.Semaphore(0)
    commits = group(ledger)
    running = asyncio.ensure_future(commits.submit("a"))
    await ledger.started.wait()
    leaving = asyncio.ensure_future(commits.submit("b"))
    staying = asyncio.ensure_future(commits.submit("c"))
    await asyncio.sleep(0)
    leaving.cancel()
    running.cancel()
    for _ in range(2):
        ledger.permits.release()
    assert await staying == "C"
    assert leaving.cancelled()
    assert running.cancelled()
    assert ledger.flushes == [["a"], ["b", "c"]]


async def test_drain_waits_for_everything_submitted_so_far() -> None:
    ledger = Ledger()
    ledger.permits = asyncio.Semaphore(0)
    commits = group(ledger, max_batch=1)
    await commits.drain()
    tasks = [asyncio.ensure_future(commits.submit(item)) for item in "abc"]
    await asyncio.sleep(0)
    draining = asyncio.ensure_future(commits.drain())
    for _ in range(3):
        assert not draining.done()
        ledger.permits.release()
        await asyncio.sleep(0)
    await draining
    assert [task.result() for task in tasks] == list("ABC")
