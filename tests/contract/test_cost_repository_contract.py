"""What every price book does: the real one in PostgreSQL, and the list that other tests use in its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pricing_service.adapters.postgres_costs import PostgresCosts
from pricing_service.domain.cost import Change, Cost, CostDraft
from pricing_service.domain.edition import Edition
from pricing_service.domain.history import CostInstants, HistoryPosition
from pricing_service.domain.idempotency import Remembered
from pricing_service.domain.importing import PriceInEffect
from pricing_service.domain.resolution import Standing
from pricing_service.domain.tier import DIRECT_CUSTOMER, TUKUPAY, Level, Tier
from pricing_service.use_cases.cost_repository import CostRepository, Lookup, NewCost
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.postgres.database import create_pool
from tests.conftest import DatabaseTemplate
from tests.doubles.in_memory_costs import InMemoryCosts
from tests.system.effort import effort
from tests.system.pricing_database import empty_pricing

NOVEMBER = datetime(2024, 11, 1, tzinfo=UTC)
DECEMBER = datetime(2024, 12, 1, tzinfo=UTC)
JANUARY = datetime(2025, 1, 1, tzinfo=UTC)
FUTURE = datetime(2090, 1, 1, tzinfo=UTC)
CUSTOMER = Tier(Level.SPECIFIC_CUSTOMER, "cust123")
APP = Tier(Level.APP_OWNER, "app7")

_numbers = count(1)


@pytest.fixture(params=["in memory", "PostgreSQL"])
async def costs(
    request: pytest.FixtureRequest, postgres_server: EmbeddedPostgres, database_template: DatabaseTemplate
) -> AsyncIterator[CostRepository]:
    if request.param == "in memory":
        yield InMemoryCosts(lambda: datetime.now(UTC))
        return
    url = empty_pricing(postgres_server, database_template)
    async with create_pool(url, "contract", max_size=8) as pool:
        yield PostgresCosts(pool)


async def record(
    costs: CostRepository, tier: Tier, effective_from: datetime, price: str = "0.8", reason: str | None = None
) -> Cost:
    draft = CostDraft(tier, Decimal(price), reason, effective_from, "admin123")
    async with costs.turn() as turn:
        (cost,) = await turn.record([NewCost(f"cost_{next(_numbers):032x}", draft, ())])
    return cost


async def withdraw(costs: CostRepository, cost: Cost) -> Cost:
    async with costs.turn() as turn:
        return await turn.withdraw(cost.cost_id, "user456", "agreed otherwise")


async def rows_in_effect(costs: CostRepository, lookups: Sequence[Lookup]) -> dict[Lookup, Cost]:
    standings = (await costs.in_effect(lookups)).standings
    assert set(standings) == set(lookups)
    return {lookup: standing.cost for lookup, standing in standings.items() if standing.cost}


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
    assert (await costs.beat()).edition.epoch == 50


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
    assert await rows_in_effect(costs, asked) == expected


async def test_a_row_recorded_later_for_an_earlier_instant_does_not_win(costs: CostRepository) -> None:
    december = await record(costs, CUSTOMER, DECEMBER)
    november = await record(costs, CUSTOMER, NOVEMBER)
    assert await listed(costs, CUSTOMER) == [november, december]
    lookup = Lookup(CUSTOMER, JANUARY)
    assert await rows_in_effect(costs, [lookup]) == {lookup: december}


async def test_the_highest_revision_is_in_effect(costs: CostRepository) -> None:
    await record(costs, CUSTOMER, DECEMBER, "0.7")
    replaced = await record(costs, CUSTOMER, DECEMBER, "0.6")
    lookup = Lookup(CUSTOMER, DECEMBER)
    assert await rows_in_effect(costs, [lookup]) == {lookup: replaced}


async def test_a_future_row_is_not_in_effect_now(costs: CostRepository) -> None:
    await record(costs, TUKUPAY, datetime(2100, 1, 1, tzinfo=UTC))
    found = await costs.in_effect([Lookup(TUKUPAY, None)])
    assert found.standings == {Lookup(TUKUPAY, None): Standing(None, datetime(2100, 1, 1, tzinfo=UTC))}
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
    assert (await costs.beat()).edition.epoch == 0
    assert await costs.changes_after(0, 10) == []
    rows = [
        await record(costs, tier, instant)
        for tier, instant in [(CUSTOMER, JANUARY), (TUKUPAY, NOVEMBER), (CUSTOMER, JANUARY)]
    ]
    assert (await costs.beat()).edition.epoch == 3
    assert [change.cost for change in await costs.changes_after(0, 10)] == rows
    assert await costs.changes_after(1, 1) == [Change(2, rows[1])]
    assert await costs.changes_after(3, 10) == []


async def test_a_withdrawn_row_gives_way_to_the_revision_before_it(costs: CostRepository) -> None:
    first = await record(costs, CUSTOMER, FUTURE, "0.7")
    second = await record(costs, CUSTOMER, FUTURE, "0.6")
    withdrawn = await withdraw(costs, second)
    assert withdrawn.withdrawal is not None
    assert withdrawn.withdrawal.withdrawn_at > second.recorded_at
    assert (withdrawn.withdrawal.withdrawn_by, withdrawn.withdrawal.reason) == ("user456", "agreed otherwise")
    lookup = Lookup(CUSTOMER, FUTURE)
    assert await rows_in_effect(costs, [lookup]) == {lookup: first}
    assert await listed(costs, CUSTOMER) == [first, withdrawn]


async def test_a_row_counts_from_its_recording_until_its_withdrawal(costs: CostRepository) -> None:
    row = await record(costs, CUSTOMER, FUTURE)
    withdrawal = (await withdraw(costs, row)).withdrawal
    assert withdrawal is not None
    tick = timedelta(microseconds=1)
    expected = {
        Lookup(CUSTOMER, FUTURE, row.recorded_at): row,
        Lookup(CUSTOMER, FUTURE, withdrawal.withdrawn_at - tick): row,
    }
    others = [
        Lookup(CUSTOMER, FUTURE, row.recorded_at - tick),
        Lookup(CUSTOMER, FUTURE, withdrawal.withdrawn_at),
        Lookup(CUSTOMER, FUTURE),
    ]
    assert await rows_in_effect(costs, [*others, *expected]) == expected


async def test_the_fallback_of_a_customer_ends_at_its_first_row_that_was_not_withdrawn(costs: CostRepository) -> None:
    withdrawn = await withdraw(costs, await record(costs, CUSTOMER, FUTURE))
    fallback = [
        await record(costs, DIRECT_CUSTOMER, instant) for instant in (JANUARY, FUTURE, FUTURE + timedelta(days=1))
    ]
    assert await listed(costs, CUSTOMER) == [fallback[0], withdrawn, *fallback[1:]]
    own = await record(costs, CUSTOMER, FUTURE + timedelta(hours=1))
    assert await listed(costs, CUSTOMER) == [fallback[0], withdrawn, fallback[1], own]


async def test_a_withdrawal_is_a_change_like_any_other(costs: CostRepository) -> None:
    row = await record(costs, CUSTOMER, FUTURE)
    other = await record(costs, TUKUPAY, DECEMBER)
    withdrawn = await withdraw(costs, row)
    changes = [Change(1, withdrawn), Change(2, other), Change(3, withdrawn)]
    assert await costs.changes_after(0, 10) == changes
    assert await costs.changes_after(1, 1) == changes[1:2]
    assert await costs.changes_after(2, 1) == changes[2:]
    assert (await costs.beat()).edition.epoch == 3


async def test_each_change_is_later_than_the_one_before(costs: CostRepository) -> None:
    rows = [await record(costs, CUSTOMER, DECEMBER) for _ in range(5)]
    instants = [row.recorded_at for row in rows]
    assert sorted(set(instants)) == instants
    assert (await costs.settled_now()) >= instants[-1] - timedelta(microseconds=5)


async def test_a_turn_that_fails_leaves_no_trace(costs: CostRepository) -> None:
    row = await record(costs, CUSTOMER, FUTURE)
    draft = CostDraft(CUSTOMER, Decimal(1), None, DECEMBER, "admin123")

    async def change_everything_and_fail() -> None:
        async with costs.turn() as turn:
            await turn.record([NewCost("cost_never", draft, ())])
            await turn.withdraw(row.cost_id, "user456", "never")
            await turn.remember("key", Remembered("f", ["cost_never"], [None]))
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        await change_everything_and_fail()
    assert await listed(costs, CUSTOMER) == [row]
    assert (await costs.beat()).edition.epoch == 1
    async with costs.turn() as turn:
        assert await turn.remembered("key") is None


async def test_a_look_waits_for_no_turn_and_holds_none_up(costs: CostRepository) -> None:
    row = await record(costs, CUSTOMER, DECEMBER, "0.7")
    draft = CostDraft(CUSTOMER, Decimal("0.6"), None, DECEMBER, "admin123")
    async with asyncio.timeout(60):
        async with costs.turn() as turn:
            await turn.record([NewCost("cost_meanwhile", draft, ())])
            async with costs.look() as look:
                (found,) = await look.prices_in_effect([(CUSTOMER, JANUARY)])
                assert found is not None
                assert found.price == Decimal("0.7")
                assert await look.find([row.cost_id, "cost_meanwhile"]) == {row.cost_id: row}
                assert await look.remembered("key") is None
                assert look.now > row.recorded_at
        async with costs.look():
            await record(costs, CUSTOMER, JANUARY)


async def test_what_a_key_came_to_is_remembered(costs: CostRepository) -> None:
    request = Remembered("f" * 64, ["cost_1", None], [None, Decimal("0.7")])
    async with costs.turn() as turn:
        await turn.remember("key", request)
    async with costs.turn() as turn:
        assert await turn.remembered("key") == request
        assert await turn.remembered("other") is None


async def test_rows_recorded_together_share_their_instant_and_follow_in_order(costs: CostRepository) -> None:
    await record(costs, CUSTOMER, DECEMBER)
    new = [
        NewCost("cost_a", CostDraft(CUSTOMER, Decimal("0.7"), "agreed", DECEMBER, "admin123"), ("FAR_PAST",)),
        NewCost("cost_b", CostDraft(TUKUPAY, Decimal(0), None, JANUARY, "admin123"), ()),
        NewCost("cost_c", CostDraft(APP, Decimal(20), None, JANUARY, "x"), ("ABOVE_CEILING", "FAR_FUTURE")),
    ]
    async with costs.turn() as turn:
        recorded = await turn.record(new)
        assert {row.recorded_at for row in recorded} == {turn.now}
        assert await turn.find(["cost_c", "cost_a", "cost_none"]) == {"cost_a": recorded[0], "cost_c": recorded[2]}
    assert [(row.revision, row.epoch) for row in recorded] == [(2, 2), (1, 3), (1, 4)]
    assert [row.overridden_guards for row in recorded] == [each.overridden_guards for each in new]
    assert [change.cost for change in await costs.changes_after(1, 10)] == recorded


async def test_the_price_at_an_instant_is_told_with_its_beginning(costs: CostRepository) -> None:
    await record(costs, CUSTOMER, NOVEMBER, "0.7")
    await record(costs, CUSTOMER, NOVEMBER, "0.6")
    await withdraw(costs, await record(costs, CUSTOMER, FUTURE, "0.5"))
    tick = timedelta(microseconds=1)
    async with costs.turn() as turn:
        found = await turn.prices_in_effect([(CUSTOMER, FUTURE), (TUKUPAY, FUTURE), (CUSTOMER, NOVEMBER - tick)])
    assert found == [PriceInEffect(Decimal("0.6"), NOVEMBER), None, None]


async def test_what_lasts_is_what_is_in_effect_or_will_be(costs: CostRepository) -> None:
    await record(costs, CUSTOMER, NOVEMBER)
    await record(costs, CUSTOMER, DECEMBER)
    in_effect = await record(costs, CUSTOMER, DECEMBER)
    later = await record(costs, CUSTOMER, FUTURE)
    await withdraw(costs, await record(costs, CUSTOMER, FUTURE))
    app = await record(costs, APP, DECEMBER)
    expected = [in_effect, later]
    now = await costs.settled_now()
    await record(costs, CUSTOMER, JANUARY)
    assert await costs.lasting(Level.APP_OWNER, now, None, 10) == [app]
    assert await costs.lasting(Level.SPECIFIC_CUSTOMER, now, None, 10) == expected
    paged: list[Cost] = []
    while page := await costs.lasting(Level.SPECIFIC_CUSTOMER, now, paged[-1] if paged else None, 1):
        paged += page
    assert paged == expected


async def test_an_edition_is_named_by_its_newest_change_and_is_the_same_however_it_is_read(
    costs: CostRepository,
) -> None:
    assert (await costs.beat()).edition == Edition(0, None)
    await record(costs, CUSTOMER, DECEMBER)
    ahead = await record(costs, CUSTOMER, FUTURE)
    assert (await costs.beat()).edition == Edition(2, ahead.recorded_at)
    withdrawn = await withdraw(costs, ahead)
    assert withdrawn.withdrawal is not None
    edition = Edition(3, withdrawn.withdrawal.withdrawn_at)
    assert (await costs.beat()).edition == edition
    assert (await costs.in_effect([Lookup(TUKUPAY, None)])).edition == edition
    assert (await costs.considered([TUKUPAY], None, None, 1)).edition == edition
    assert [(change.epoch, change.at) for change in await costs.changes_after(1, 10)] == [
        (2, ahead.recorded_at),
        (3, withdrawn.withdrawal.withdrawn_at),
    ]


async def test_the_instants_of_many_tiers_are_listed_up_to_two_bounds(costs: CostRepository) -> None:
    first = await record(costs, CUSTOMER, DECEMBER)
    second = await withdraw(costs, await record(costs, CUSTOMER, FUTURE))
    default = await record(costs, TUKUPAY, NOVEMBER)
    assert second.withdrawal is not None
    own = [
        CostInstants(DECEMBER, first.recorded_at, None),
        CostInstants(FUTURE, second.recorded_at, second.withdrawal.withdrawn_at),
    ]
    tiers = [CUSTOMER, APP, TUKUPAY]
    found = [sorted(rows) for rows in await costs.instants(tiers, 10, 10)]
    assert found == [own, [], [CostInstants(NOVEMBER, default.recorded_at, None)]]
    assert [len(rows) for rows in await costs.instants(tiers, 1, 10)] == [1, 0, 1]
    assert [len(rows) for rows in await costs.instants(tiers, 10, 2)] == [2, 0, 0]


async def test_idempotency_keys_are_forgotten_after_their_time_a_few_at_once(costs: CostRepository) -> None:
    for key in ("a", "b", "c"):
        async with costs.turn() as turn:
            await turn.remember(key, Remembered("f", [], []))
    assert await costs.forget_requests(timedelta(minutes=1), 10) == 0
    assert await costs.forget_requests(timedelta(0), 2) == 2
    assert await costs.forget_requests(timedelta(0), 2) == 1
    async with costs.turn() as turn:
        assert [await turn.remembered(key) for key in ("a", "b", "c")] == [None, None, None]


async def test_a_long_history_is_considered_where_it_matters(costs: CostRepository) -> None:
    rows = [await record(costs, CUSTOMER, DECEMBER + timedelta(days=number)) for number in range(20)]
    found = await costs.considered([CUSTOMER, TUKUPAY], DECEMBER + timedelta(days=10), None, 4)
    assert found.rows[TUKUPAY] == []
    days = sorted((row.effective_from - DECEMBER).days for row in found.rows[CUSTOMER])
    assert days == [9, 10, 11, 12]
    at_the_end = await costs.considered([CUSTOMER], None, None, 4)
    assert list(at_the_end.rows[CUSTOMER]) == rows[:-5:-1]


async def test_the_row_in_effect_is_considered_behind_any_number_of_withdrawn_ones(costs: CostRepository) -> None:
    in_effect = await record(costs, CUSTOMER, DECEMBER)
    for days in range(1, 6):
        await withdraw(costs, await record(costs, CUSTOMER, FUTURE + timedelta(days=days)))
    following = await record(costs, CUSTOMER, FUTURE + timedelta(days=60))
    found = await costs.considered([CUSTOMER], FUTURE + timedelta(days=30), None, 2)
    assert {in_effect.cost_id, following.cost_id} <= {row.cost_id for row in found.rows[CUSTOMER]}


# Few names and instants, so that ties and near misses are common.
TIERS: Sequence[Tier] = (
    TUKUPAY,
    DIRECT_CUSTOMER,
    *(Tier(level, name) for level in (Level.SPECIFIC_CUSTOMER, Level.APP_OWNER) for name in ("a", "b")),
)
INSTANTS = [DECEMBER + timedelta(microseconds=step) for step in range(4)]
histories = st.lists(st.tuples(st.sampled_from(TIERS), st.sampled_from(INSTANTS)), max_size=25)


@settings(
    max_examples=effort(15, 100),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=histories, limit=st.integers(min_value=1, max_value=30))
def test_both_list_any_history_alike(
    empty_pricing_database: Callable[[], str], history: list[tuple[Tier, datetime]], limit: int
) -> None:
    async def compare() -> None:
        plain = InMemoryCosts(lambda: datetime.now(UTC))
        async with create_pool(empty_pricing_database(), "contract") as pool:
            real = PostgresCosts(pool)
            for number, (tier, instant) in enumerate(history):
                for costs in (plain, real):
                    draft = CostDraft(tier, Decimal(number + 1), None, instant, "admin123")
                    async with costs.turn() as turn:
                        await turn.record([NewCost(f"cost_{number}", draft, ())])
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
