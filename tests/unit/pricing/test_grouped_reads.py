"""Reading for many callers at once: who shares a question, and who is turned away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from pricing_service.domain.tier import DIRECT_CUSTOMER, TUKUPAY, Level, Tier
from pricing_service.use_cases.cost_repository import InEffect, Lookup
from pricing_service.use_cases.grouped_reads import MAX_READS, GroupedReads
from service_kit.errors import Kind, ServiceError
from tests.doubles.in_memory_costs import InMemoryCosts

START = datetime(2026, 1, 1, tzinfo=UTC)


class SlowCosts(InMemoryCosts):
    """A price book whose answers wait to be let go."""

    def __init__(self) -> None:
        super().__init__(lambda: START)
        self.open = asyncio.Event()
        self.asked: list[list[Tier]] = []

    async def in_effect(self, lookups: Sequence[Lookup]) -> InEffect:
        self.asked.append([lookup.tier for lookup in lookups])
        await self.open.wait()
        return await super().in_effect(lookups)


async def test_callers_that_come_while_it_asks_share_the_next_question() -> None:
    costs = SlowCosts()
    learned: list[InEffect] = []
    reads = GroupedReads(costs, timedelta(seconds=30), learned.append)
    callers = []
    for number in range(20):
        callers.append(asyncio.ensure_future(reads.read([Tier(Level.SPECIFIC_CUSTOMER, f"c{number}"), TUKUPAY])))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert len(costs.asked) == MAX_READS
    # Those who leave take nobody with them.
    callers.pop().cancel()
    costs.open.set()
    found = await asyncio.gather(*callers)
    for number, each in enumerate(found):
        assert Lookup(Tier(Level.SPECIFIC_CUSTOMER, f"c{number}"), None) in each.standings
    assert len(costs.asked) == MAX_READS + 1
    assert costs.asked[-1].count(TUKUPAY) == 1
    assert len(learned) == MAX_READS + 1


async def test_a_database_that_does_not_answer_fails_all_who_wait() -> None:
    reads = GroupedReads(SlowCosts(), timedelta(milliseconds=5), lambda _: None)
    failures = await asyncio.gather(*(reads.read([TUKUPAY]) for _ in range(3)), return_exceptions=True)
    assert [failure.reason for failure in failures if isinstance(failure, ServiceError)] == 3 * ["DATABASE_UNAVAILABLE"]


async def test_callers_beyond_the_bound_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pricing_service.use_cases.grouped_reads.MAX_WAITING", 1)
    costs = SlowCosts()
    reads = GroupedReads(costs, timedelta(seconds=30), lambda _: None)
    under_way: list[asyncio.Future[InEffect]] = []
    for _ in range(MAX_READS + 1):
        under_way.append(asyncio.ensure_future(reads.read([TUKUPAY])))
        for _ in range(3):
            await asyncio.sleep(0)
    with pytest.raises(ServiceError) as caught:
        await reads.read([DIRECT_CUSTOMER])
    assert caught.value.kind is Kind.OVERLOADED
    costs.open.set()
    await asyncio.gather(*under_way)
