"""Several pricing services on one database."""

from __future__ import annotations

import asyncio
import time

from google.protobuf.duration_pb2 import Duration

from service_kit.errors import Kind
from tests.integration.pricing.conftest import (
    DEADLINE_S,
    DIRECT_CUSTOMER,
    SPECIFIC_CUSTOMER,
    Pricing,
    pricing_on,
    refusal_of,
)
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

QUIET = pb.WatchPricesRequest(heartbeat_interval=Duration(seconds=60))


async def test_fifty_prices_set_at_once_through_two_replicas_lose_none(pricing: Pricing, pricing_url: str) -> None:
    async with pricing_on(pricing_url) as other:
        await other.until_serving()
        costs = await asyncio.gather(
            *(
                (pricing, other)[number % 2].set(SPECIFIC_CUSTOMER, 700_000 + number, customer_id="cust123")
                for number in range(50)
            )
        )
        assert sorted(cost.revision for cost in costs) == list(range(1, 51))
        request = pb.ListCostsRequest(level=SPECIFIC_CUSTOMER, customer_id="cust123")
        listed = (await other.stub.ListCosts(request)).costs
        assert list(listed) == sorted(costs, key=lambda cost: cost.revision)


async def test_a_change_made_by_another_replica_is_seen_within_a_second(pricing: Pricing, pricing_url: str) -> None:
    async with pricing_on(pricing_url) as other, asyncio.timeout(DEADLINE_S):
        await other.until_serving()
        watch = aiter(pricing.stub.WatchPrices(QUIET))
        opening = await anext(watch)
        assert (opening.epoch, list(opening.changes)) == (0, [])
        cost = await other.set(DIRECT_CUSTOMER, 800_000)
        since = time.monotonic()
        told = await anext(watch)
        assert (told.epoch, list(told.changes)) == (1, [cost])
        assert time.monotonic() - since < 1.0


async def test_an_own_change_is_told_without_waiting_for_the_next_look(pricing_url: str) -> None:
    async with pricing_on(pricing_url, watch_interval_s=10.0, book_staleness_s=30.0) as pricing:
        await pricing.until_serving()
        async with asyncio.timeout(DEADLINE_S):
            watch = aiter(pricing.stub.WatchPrices(QUIET))
            await anext(watch)
            since = time.monotonic()
            for number in range(20):
                cost = await pricing.set(DIRECT_CUSTOMER, 800_000 + number)
                assert list((await anext(watch)).changes) == [cost]
            # Twenty looks of ten seconds otherwise.
            assert time.monotonic() - since < 10.0


async def test_a_watcher_misses_and_reorders_nothing_while_many_write(pricing: Pricing, pricing_url: str) -> None:
    async with pricing_on(pricing_url) as other, asyncio.timeout(DEADLINE_S):
        await other.until_serving()
        watch = aiter(pricing.stub.WatchPrices(QUIET))
        epoch = (await anext(watch)).epoch
        writers = asyncio.gather(
            *(
                (pricing, other)[number % 2].set(SPECIFIC_CUSTOMER, 700_000 + number, customer_id=f"c{number % 7}")
                for number in range(1, 101)
            )
        )
        seen: list[pb.Cost] = []
        while len(seen) < 100:
            news = await anext(watch)
            epoch += len(news.changes)
            assert news.epoch == epoch
            seen += news.changes
        assert sorted(cost.cost_id for cost in seen) == sorted(cost.cost_id for cost in await writers)
        for customer in {cost.customer_id for cost in seen}:
            revisions = [cost.revision for cost in seen if cost.customer_id == customer]
            assert revisions == list(range(1, len(revisions) + 1))


async def test_silence_is_broken_by_heartbeats(pricing: Pricing) -> None:
    await pricing.set(DIRECT_CUSTOMER, 800_000)
    request = pb.WatchPricesRequest(heartbeat_interval=Duration(nanos=100_000_000))
    async with asyncio.timeout(DEADLINE_S):
        watch = aiter(pricing.stub.WatchPrices(request))
        heard = [await anext(watch) for _ in range(4)]
        assert {(news.epoch, len(news.changes)) for news in heard} == {(1, 0)}
        times = [news.now.ToNanoseconds() for news in heard]
        assert times == sorted(times)
        assert times[-1] > times[0]


async def test_a_heartbeat_out_of_range_is_refused(pricing: Pricing) -> None:
    request = pb.WatchPricesRequest(heartbeat_interval=Duration(seconds=61))
    error = await refusal_of(anext(aiter(pricing.stub.WatchPrices(request))))
    assert error.kind is Kind.INVALID
    assert [violation.field for violation in error.violations] == ["heartbeat_interval"]
