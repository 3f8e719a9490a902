"""What a group commit tells of itself, on a clock that the test sets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from messaging_service.shared.flush_size import FlushSize
from messaging_service.shared.group_commit import GroupCommit
from service_kit.errors import Kind, ServiceError
from tests.doubles.messaging_fakes import until

pytestmark = pytest.mark.timeout(10)


class Recorded:
    """Implements CommitMeter."""

    def __init__(self) -> None:
        self.flushes: list[tuple[int, float, float]] = []
        self.refusals = 0
        self.failures: list[Exception] = []

    def flushed(self, items: int, waited_s: float, took_s: float) -> None:
        self.flushes.append((items, waited_s, took_s))

    def failed(self, error: Exception) -> None:
        self.failures.append(error)

    def turned_away(self) -> None:
        self.refusals += 1


class Database:
    """Takes as long for each flush as the test says, without anybody waiting for it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.seconds_an_item = 0.0
        self.failure: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.sizes: list[int] = []

    def clock(self) -> float:
        return self.now

    async def flush(self, items: Sequence[int]) -> Sequence[int | ServiceError]:
        self.sizes.append(len(items))
        if self.gate is not None:
            await self.gate.wait()
        self.now += self.seconds_an_item * len(items)
        if self.failure is not None:
            raise self.failure
        return items


def commits_on(
    database: Database, meter: Recorded, *, max_waiting: int = 1_000, floor: int = 4, ceiling: int = 32
) -> GroupCommit[int, int]:
    return GroupCommit(
        "test",
        database.flush,
        max_batch=ceiling,
        max_waiting=max_waiting,
        size=FlushSize(floor, ceiling, target_s=0.1),
        meter=meter,
        clock=database.clock,
    )


async def test_a_flush_is_told_with_its_size_its_wait_and_its_time() -> None:
    database, meter = Database(), Recorded()
    database.seconds_an_item, database.gate = 0.01, asyncio.Event()
    commits = commits_on(database, meter)
    first = asyncio.ensure_future(commits.submit(0))
    await until(lambda: bool(database.sizes))
    others = [asyncio.ensure_future(commits.submit(number)) for number in range(1, 4)]
    await asyncio.sleep(0)
    assert commits.waiting == 3
    database.gate.set()
    await asyncio.gather(first, *others)
    # The others came at the time 100 and went when the first was through.
    assert [(items, round(waited, 3), round(took, 3)) for items, waited, took in meter.flushes] == [
        (1, 0.0, 0.01),
        (3, 0.01, 0.03),
    ]
    assert commits.waiting == 0


async def test_flushes_get_smaller_while_they_take_too_long_and_larger_again() -> None:
    database, meter = Database(), Recorded()
    commits = commits_on(database, meter)
    database.seconds_an_item = 0.01
    assert await asyncio.gather(*(commits.submit(number) for number in range(100))) == list(range(100))
    assert database.sizes[0] == 32
    assert database.sizes[1] == 16
    assert max(database.sizes[2:]) <= 24
    assert commits.limit < 32
    database.seconds_an_item = 0.0001
    await asyncio.gather(*(commits.submit(number) for number in range(200)))
    assert database.sizes[-2] == 32
    assert commits.limit == 32


async def test_an_item_that_is_turned_away_is_told_and_knows_when_to_come_back() -> None:
    database, meter = Database(), Recorded()
    database.gate = asyncio.Event()
    commits = commits_on(database, meter, max_waiting=2)
    running = asyncio.ensure_future(commits.submit(0))
    await until(lambda: bool(database.sizes))
    waiting = [asyncio.ensure_future(commits.submit(number)) for number in (1, 2)]
    await asyncio.sleep(0)
    with pytest.raises(ServiceError) as caught:
        await commits.submit(3)
    assert caught.value.kind is Kind.OVERLOADED
    assert caught.value.retry_after is not None
    assert meter.refusals == 1
    database.gate.set()
    await asyncio.gather(running, *waiting)
    assert meter.refusals == 1


async def test_a_flush_that_failed_says_with_what_and_nothing_of_its_size() -> None:
    database, meter = Database(), Recorded()
    database.seconds_an_item = 1.0
    database.failure = ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "away")
    commits = commits_on(database, meter)
    answers = await asyncio.gather(*(commits.submit(number) for number in range(20)), return_exceptions=True)
    assert answers == [database.failure] * 20
    assert meter.failures == [database.failure]
    assert meter.flushes == []
    assert commits.limit == 32
