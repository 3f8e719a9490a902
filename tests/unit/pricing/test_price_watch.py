"""Following the price book, with a book that can be made to fail or to fall silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from pricing_service.domain.cost import Cost, CostDraft
from pricing_service.domain.edition import Edition
from pricing_service.domain.tier import DIRECT_CUSTOMER
from pricing_service.use_cases.cost_repository import Beat, NewCost
from pricing_service.use_cases.watch_prices import MAX_CHANGES, PriceNews, PriceWatch
from service_kit.errors import Kind, ServiceError
from tests.doubles.in_memory_costs import InMemoryCosts

SOON = timedelta(milliseconds=5)
NEVER = timedelta(seconds=60)
DEADLINE_S = 5.0
START = datetime(2024, 1, 1, tzinfo=UTC)


class FragileCosts(InMemoryCosts):
    """A price book that can be taken away."""

    def __init__(self) -> None:
        super().__init__(lambda: START)
        self.failure: ServiceError | None = None
        self.reachable = asyncio.Event()
        self.reachable.set()
        self.asked = 0

    async def beat(self) -> Beat:
        self.asked += 1
        await self.reachable.wait()
        if self.failure:
            raise self.failure
        return await super().beat()

    async def add(self, count: int = 1) -> None:
        for _ in range(count):
            number = len(self.rows)
            effective_from = START + timedelta(seconds=number)
            draft = CostDraft(DIRECT_CUSTOMER, Decimal("0.8"), None, effective_from, "admin123")
            async with self.turn() as turn:
                await turn.record([NewCost(f"cost_{number}", draft, ())])


@asynccontextmanager
async def watching(
    costs: FragileCosts, patience: timedelta = NEVER, interval: timedelta = SOON
) -> AsyncIterator[PriceWatch]:
    watch = PriceWatch(costs, interval=interval, patience=patience)
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def following(news: AsyncGenerator[PriceNews, None]) -> PriceNews:
    async with asyncio.timeout(DEADLINE_S):
        return await anext(news)


async def test_a_watch_opens_with_the_present_epoch_and_no_rows() -> None:
    costs = FragileCosts()
    await costs.add(3)
    async with watching(costs) as watch, aclosing(watch.watch(NEVER)) as news:
        assert await following(news) == PriceNews(3, START)


async def test_a_change_is_told_with_its_row() -> None:
    costs = FragileCosts()
    async with watching(costs) as watch, aclosing(watch.watch(NEVER)) as news:
        await following(news)
        await costs.add()
        assert await following(news) == PriceNews(1, START, (costs.rows[0],))


async def test_an_own_change_is_told_at_once_however_rarely_it_looks() -> None:
    costs = FragileCosts()
    async with watching(costs, interval=NEVER) as watch, aclosing(watch.watch(NEVER)) as news:
        await following(news)
        for epoch in range(1, 4):
            await costs.add()
            watch.changed(Edition(epoch, START), [DIRECT_CUSTOMER])
            assert (await following(news)).epoch == epoch


async def test_silence_is_filled_with_heartbeats_of_the_same_epoch() -> None:
    costs = FragileCosts()
    await costs.add()
    async with watching(costs) as watch, aclosing(watch.watch(SOON)) as news:
        assert [await following(news) for _ in range(3)] == [PriceNews(1, START)] * 3


async def test_a_watcher_that_was_slow_gets_every_row_once_and_in_order() -> None:
    costs = FragileCosts()
    async with watching(costs) as watch, aclosing(watch.watch(NEVER)) as news:
        await following(news)
        await costs.add(2 * MAX_CHANGES + 1)
        seen: list[Cost] = []
        while len(seen) < len(costs.rows):
            told = await following(news)
            assert len(told.changes) <= MAX_CHANGES
            seen += told.changes
            assert told.epoch == len(seen)
        assert seen == costs.rows


async def test_watchers_share_the_looks_and_each_hears_of_the_change() -> None:
    costs = FragileCosts()
    async with watching(costs) as watch:
        all_news = [watch.watch(NEVER) for _ in range(20)]
        for news in all_news:
            await following(news)
        await costs.add()
        for news in all_news:
            assert (await following(news)).epoch == 1
            await news.aclose()


async def test_nobody_watching_means_no_looks_at_the_database() -> None:
    left, watched = FragileCosts(), FragileCosts()
    async with watching(left) as watch, watching(watched) as other:
        async with aclosing(watch.watch(SOON)) as news:
            await following(news)
            await following(news)
        asked = left.asked
        async with aclosing(other.watch(SOON)) as news:
            while watched.asked < 10:
                await following(news)
        # One look may have been under way when the watcher left.
        assert left.asked <= asked + 1


async def test_a_failing_database_ends_the_watch_instead_of_sending_heartbeats() -> None:
    costs = FragileCosts()
    async with watching(costs) as watch, aclosing(watch.watch(NEVER)) as news:
        await following(news)
        costs.failure = ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "away")
        with pytest.raises(ServiceError, match="DATABASE_UNAVAILABLE"):
            await following(news)


async def test_a_database_that_does_not_answer_ends_the_watch() -> None:
    costs = FragileCosts()
    async with watching(costs, patience=SOON) as watch, aclosing(watch.watch(NEVER)) as news:
        await following(news)
        costs.reachable.clear()
        with pytest.raises(ServiceError, match="DATABASE_UNAVAILABLE"):
            await following(news)


async def test_a_watch_can_be_opened_again_after_the_database_came_back() -> None:
    costs = FragileCosts()
    async with watching(costs) as watch:
        async with aclosing(watch.watch(NEVER)) as news:
            await following(news)
            costs.failure = ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "away")
            with pytest.raises(ServiceError):
                await following(news)
        costs.failure = None
        async with aclosing(watch.watch(NEVER)) as news:
            assert await following(news) == PriceNews(0, START)
            await costs.add()
            assert (await following(news)).epoch == 1


async def test_a_watch_ends_in_good_order_when_the_service_stops() -> None:
    costs = FragileCosts()
    async with watching(costs) as watch, aclosing(watch.watch(NEVER)) as news:
        await following(news)
        watch.close()
        with pytest.raises(StopAsyncIteration):
            await following(news)
