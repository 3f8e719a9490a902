"""What every price book does: the real one in PostgreSQL, and the list that other tests use in its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pricing_service.adapters.migrate import migrate
from pricing_service.adapters.postgres_costs import PostgresCosts
from pricing_service.domain.cost import Cost, CostDraft
from pricing_service.domain.history import HistoryPosition
from pricing_service.domain.price_question import PriceQuestion
from pricing_service.domain.tier import DIRECT_CUSTOMER, TUKUPAY, Level, Tier
from pricing_service.use_cases.cost_repository import CostRepository, Lookup
from pricing_service.use_cases.resolve_prices import ResolvedPrice, ResolvePrices
from service_kit.database import create_pool
from service_kit.errors import ServiceError
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.contract.in_memory_costs import InMemoryCosts

NOVEMBER = datetime(2024, 11, 1, tzinfo=UTC)
DECEMBER = datetime(2024, 12, 1, tzinfo=UTC)
JANUARY = datetime(2025, 1, 1, tzinfo=UTC)
CUSTOMER = Tier(Level.SPECIFIC_CUSTOMER, "cust123")
APP = Tier(Level.APP_OWNER, "app7")

_numbers = count(1)


@pytest.fixture(params=["in memory", "PostgreSQL"])
async def costs(
    request: pytest.FixtureRequest, database_template: DatabaseTemplate, fresh_database: FreshDatabase
) -> AsyncIterator[CostRepository]:
    if request.param == "in memory":
        yield InMemoryCosts(lambda: datetime.now(UTC))
        return
    url = fresh_database(template=database_template("pricing_template", migrate))
    async with create_pool(url, "contract", max_size=8) as pool:
        yield PostgresCosts(pool)


async def record(
    costs: CostRepository, tier: Tier, effective_from: datetime, price: str = "0.8", reason: str | None = None
) -> Cost:
    draft = CostDraft(tier, Decimal(price), reason, effective_from, "admin123")
    return await costs.record(f"cost_{next(_numbers):032x}", draft)


async def listed(
    costs: CostRepository, tier: Tier, after: HistoryPosition | None = None, limit: int = 100
) -> list[Cost]:
    return list(await costs.history(tier, after, limit))


async def test_a_row_is_kept_as_it_was_drafted(costs: CostRepository) -> None:
    before = datetime.now(UTC)
    cost = await record(costs, CUSTOMER, DECEMBER, "0.700001", "Custom pricing, 日本語")
    assert (cost.tier, cost.price, cost.reason) == (CUSTOMER, Decimal("0.700001"), "Custom pricing, 日本語")
    assert (cost.effective_from, cost.created_by, cost.revision, cost.epoch) == (DECEMBER, "admin123", 1, 1)
    assert abs(cost.recorded_at - before) < timedelta(minutes=1)
    assert await listed(costs, CUSTOMER) == [cost]


@pytest.mark.parametrize("price", ["0.000001", "1000000", "0.6", "123456.654321"])
async def test_prices_come_back_to_the_last_digit(costs: CostRepository, price: str) -> None:
    assert (await record(costs, TUKUPAY, DECEMBER, price)).price == Decimal(price)


async def test_the_same_tier_and_instant_again_is_a_new_revision(costs: CostRepository) -> None:
    rows = [await record(costs, CUSTOMER, DECEMBER, price) for price in ("0.7", "0.6", "0.5")]
    assert [row.revision for row in rows] == [1, 2, 3]
    assert await listed(costs, CUSTOMER) == rows


async def test_revisions_of_one_tier_and_instant_do_not_count_those_of_another(
    costs: CostRepository,
) -> None:
    await record(costs, CUSTOMER, DECEMBER)
    for tier, instant in [
        (CUSTOMER, JANUARY),
        (Tier(Level.SPECIFIC_CUSTOMER, "cust456"), DECEMBER),
        (Tier(Level.APP_OWNER, "cust123"), DECEMBER),
        (DIRECT_CUSTOMER, DECEMBER),
        (TUKUPAY, DECEMBER),
    ]:
        assert (await record(costs, tier, instant)).revision == 1


async def test_fifty_at_once_get_fifty_revisions_and_epochs(costs: CostRepository) -> None:
    rows = await asyncio.gather(*(record(costs, CUSTOMER, DECEMBER) for _ in range(50)))
    assert sorted(row.revision for row in rows) == list(range(1, 51))
    assert sorted(row.epoch for row in rows) == list(range(1, 51))
    by_revision = sorted(rows, key=lambda row: row.revision)
    assert [row.epoch for row in by_revision] == list(range(1, 51))
    assert await listed(costs, CUSTOMER) == by_revision
    assert await costs.epoch() == 50


async def test_a_row_is_in_effect_from_its_first_instant_until_the_next_row(costs: CostRepository) -> None:
    november = await record(costs, CUSTOMER, NOVEMBER)
    december = await record(costs, CUSTOMER, DECEMBER)
    tick = timedelta(microseconds=1)
    expected = {
        Lookup(CUSTOMER, NOVEMBER): november,
        Lookup(CUSTOMER, DECEMBER - tick): november,
        Lookup(CUSTOMER, DECEMBER): december,
        Lookup(CUSTOMER, None): december,
    }
    asked = [Lookup(CUSTOMER, NOVEMBER - tick), *expected]
    assert (await costs.in_effect(asked)).costs == expected


async def test_a_row_recorded_later_for_an_earlier_instant_does_not_win(costs: CostRepository) -> None:
    december = await record(costs, CUSTOMER, DECEMBER)
    november = await record(costs, CUSTOMER, NOVEMBER)
    assert await listed(costs, CUSTOMER) == [november, december]
    lookup = Lookup(CUSTOMER, JANUARY)
    assert (await costs.in_effect([lookup])).costs == {lookup: december}


async def test_the_highest_revision_is_in_effect(costs: CostRepository) -> None:
    await record(costs, CUSTOMER, DECEMBER, "0.7")
    replaced = await record(costs, CUSTOMER, DECEMBER, "0.6")
    lookup = Lookup(CUSTOMER, DECEMBER)
    assert (await costs.in_effect([lookup])).costs == {lookup: replaced}


async def test_a_future_row_is_not_in_effect_now(costs: CostRepository) -> None:
    await record(costs, TUKUPAY, datetime(2100, 1, 1, tzinfo=UTC))
    found = await costs.in_effect([Lookup(TUKUPAY, None)])
    assert found.costs == {}
    assert abs(found.now - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_customer_sees_the_defaults_that_served_before_its_own_first_price(
    costs: CostRepository,
) -> None:
    await record(costs, TUKUPAY, NOVEMBER)
    await record(costs, APP, NOVEMBER)
    first_default = await record(costs, DIRECT_CUSTOMER, NOVEMBER)
    corrected_default = await record(costs, DIRECT_CUSTOMER, NOVEMBER)
    own = await record(costs, CUSTOMER, DECEMBER)
    await record(costs, DIRECT_CUSTOMER, DECEMBER)
    await record(costs, DIRECT_CUSTOMER, JANUARY)
    assert await listed(costs, CUSTOMER) == [first_default, corrected_default, own]


async def test_a_customer_without_a_price_sees_every_default(costs: CostRepository) -> None:
    later = await record(costs, DIRECT_CUSTOMER, DECEMBER)
    earlier = await record(costs, DIRECT_CUSTOMER, NOVEMBER)
    await record(costs, Tier(Level.SPECIFIC_CUSTOMER, "cust456"), NOVEMBER)
    assert await listed(costs, CUSTOMER) == [earlier, later]


@pytest.mark.parametrize("tier", [APP, DIRECT_CUSTOMER, TUKUPAY])
async def test_the_other_levels_list_their_own_rows_only(costs: CostRepository, tier: Tier) -> None:
    for other in (CUSTOMER, APP, DIRECT_CUSTOMER, TUKUPAY, Tier(Level.APP_OWNER, "app8")):
        await record(costs, other, NOVEMBER)
    assert [row.tier for row in await listed(costs, tier)] == [tier]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_put_together_are_the_whole_history(costs: CostRepository, limit: int) -> None:
    for instant in (DECEMBER, NOVEMBER, NOVEMBER, NOVEMBER - timedelta(days=30)):
        await record(costs, DIRECT_CUSTOMER, instant)
    for instant in (JANUARY, DECEMBER, DECEMBER):
        await record(costs, CUSTOMER, instant)
    whole = await listed(costs, CUSTOMER)
    assert len(whole) == 6
    paged: list[Cost] = []
    after = None
    while page := await listed(costs, CUSTOMER, after, limit):
        assert len(page) <= limit
        paged += page
        after = HistoryPosition(page[-1].effective_from, page[-1].epoch)
    assert paged == whole


async def test_changes_come_in_the_order_of_recording(costs: CostRepository) -> None:
    assert await costs.epoch() == 0
    assert await costs.changes_after(0, 10) == []
    rows = [
        await record(costs, tier, instant)
        for tier, instant in [(CUSTOMER, JANUARY), (TUKUPAY, NOVEMBER), (CUSTOMER, JANUARY)]
    ]
    assert await costs.epoch() == 3
    assert await costs.changes_after(0, 10) == rows
    assert await costs.changes_after(1, 1) == rows[1:2]
    assert await costs.changes_after(3, 10) == []


# Few names and instants, so that ties and near misses are common.
TIERS: Sequence[Tier] = (
    TUKUPAY,
    DIRECT_CUSTOMER,
    *(Tier(level, name) for level in (Level.SPECIFIC_CUSTOMER, Level.APP_OWNER) for name in ("a", "b")),
)
INSTANTS = [DECEMBER + timedelta(microseconds=step) for step in range(4)]
histories = st.lists(st.tuples(st.sampled_from(TIERS), st.sampled_from(INSTANTS)), max_size=25)


questions = st.lists(
    st.builds(
        PriceQuestion,
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([None, "a", "b", "c"]),
        st.sampled_from([None, DECEMBER - timedelta(microseconds=1), *INSTANTS]),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, asked=questions, limit=st.integers(min_value=1, max_value=30))
def test_both_answer_alike_on_any_history(
    empty_pricing_database: Callable[[], str],
    history: list[tuple[Tier, datetime]],
    asked: list[PriceQuestion],
    limit: int,
) -> None:
    async def compare() -> None:
        plain = InMemoryCosts(lambda: datetime.now(UTC))
        async with create_pool(empty_pricing_database(), "contract") as pool:
            real = PostgresCosts(pool)
            for number, (tier, instant) in enumerate(history):
                for costs in (plain, real):
                    draft = CostDraft(tier, Decimal(number + 1), None, instant, "admin123")
                    await costs.record(f"cost_{number}", draft)
            assert [_facts(answer) for answer in await ResolvePrices(real).many(asked)] == [
                _facts(answer) for answer in await ResolvePrices(plain).many(asked)
            ]
            for tier in TIERS:
                after: HistoryPosition | None = None
                for _ in range(2):
                    page = await listed(real, tier, after, limit)
                    assert [row.cost_id for row in page] == [
                        row.cost_id for row in await listed(plain, tier, after, limit)
                    ]
                    if page:
                        after = HistoryPosition(page[-1].effective_from, page[-1].epoch)

    asyncio.run(compare())


@pytest.fixture
def empty_pricing_database(database_template: DatabaseTemplate, fresh_database: FreshDatabase) -> Callable[[], str]:
    url = fresh_database(template=database_template("pricing_template", migrate))

    def emptied() -> str:
        with psycopg.connect(url) as connection:
            connection.execute("DELETE FROM cost")
            connection.execute("UPDATE price_epoch SET epoch = 0")
        return url

    return emptied


def _facts(answer: ResolvedPrice | ServiceError) -> tuple[str, int] | str:
    if isinstance(answer, ServiceError):
        return answer.reason
    return answer.cost.cost_id, answer.cost.revision
