"""Changes of prices take turns, on the database's clock: what was known at an instant never changes afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from pricing_service.adapters.postgres_costs import PostgresCosts
from pricing_service.domain.cost import Cost, CostDraft
from pricing_service.domain.tier import TUKUPAY
from pricing_service.use_cases.cost_repository import Lookup, NewCost
from service_kit.postgres.database import create_pool
from tests.system.messaging_database import until_found

LONG_AGO = datetime(2024, 12, 13, tzinfo=UTC)
TICK = timedelta(microseconds=1)
SOMEBODY_WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
async def costs(pricing_url: str) -> AsyncIterator[PostgresCosts]:
    async with create_pool(pricing_url, "turns", max_size=4, timeout_s=20) as pool:
        yield PostgresCosts(pool)


def new(name: str, price: str = "0.8") -> NewCost:
    return NewCost(name, CostDraft(TUKUPAY, Decimal(price), "agreed", LONG_AGO, "admin123"), ())


async def record(costs: PostgresCosts, name: str) -> Cost:
    async with costs.turn() as turn:
        (cost,) = await turn.record([new(name)])
    return cost


async def known(costs: PostgresCosts, known_at: datetime) -> Cost | None:
    lookup = Lookup(TUKUPAY, LONG_AGO, known_at)
    return (await costs.in_effect([lookup])).standings[lookup].cost


async def test_recorded_instants_rise_also_when_the_clock_is_set_back(costs: PostgresCosts, pricing_url: str) -> None:
    first = await record(costs, "cost_1")
    with psycopg.connect(pricing_url) as connection:
        ahead = connection.execute(
            "UPDATE price_epoch SET changed_at = clock_timestamp() + interval '1 hour' RETURNING changed_at"
        ).fetchone()
    assert ahead is not None
    second, third = await record(costs, "cost_2"), await record(costs, "cost_3")
    assert [second.recorded_at, third.recorded_at] == [ahead[0] + TICK, ahead[0] + 2 * TICK]
    assert [await known(costs, ahead[0] + tick * TICK) for tick in range(3)] == [first, second, third]


async def test_a_question_about_what_was_known_waits_for_the_change_under_way(
    costs: PostgresCosts, pricing_url: str
) -> None:
    await record(costs, "cost_1")
    async with asyncio.timeout(30):
        async with costs.turn() as turn:
            (changed,) = await turn.record([new("cost_2", "0.9")])
            asked = asyncio.create_task(known(costs, changed.recorded_at))
            waits = asyncio.create_task(until_found(pricing_url, SOMEBODY_WAITS))
            await asyncio.wait({asked, waits}, return_when=asyncio.FIRST_COMPLETED)
            assert not asked.done()
        assert await asked == changed
        await waits


async def test_a_price_in_force_is_not_withdrawn_even_where_nobody_checked(costs: PostgresCosts) -> None:
    cost = await record(costs, "cost_1")

    async def withdraw() -> None:
        async with costs.turn() as turn:
            await turn.withdraw(cost.cost_id, "user456", "never")

    with pytest.raises(AssertionError, match="cannot be any more"):
        await withdraw()
    assert await costs.history(TUKUPAY, None, 10) == [cost]
