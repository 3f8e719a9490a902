"""The prices in memory: what they may answer, for how long, and what makes them forget."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing_service.domain.cost import Cost, CostDraft
from pricing_service.domain.edition import Edition
from pricing_service.domain.instants import micros_since_1970
from pricing_service.domain.precedence import tiers_for
from pricing_service.domain.resolution import standing
from pricing_service.domain.tier import DIRECT_CUSTOMER, TUKUPAY, Level, Tier
from pricing_service.use_cases.cost_repository import Beat, InEffect, Lookup, NewCost
from pricing_service.use_cases.grouped_reads import GroupedReads
from pricing_service.use_cases.price_book import FORGET_ALL, PriceBook
from pricing_service.use_cases.warm_up import WarmUp
from tests.doubles.in_memory_costs import InMemoryCosts
from tests.system.effort import effort

START = datetime(2026, 1, 1, tzinfo=UTC)
STALENESS = timedelta(seconds=1)
CUSTOMER = Tier(Level.SPECIFIC_CUSTOMER, "a")
TIERS: Sequence[Tier] = (
    TUKUPAY,
    DIRECT_CUSTOMER,
    *(Tier(level, name) for level in (Level.SPECIFIC_CUSTOMER, Level.APP_OWNER) for name in ("a", "b")),
)


class World:
    """A database with its clock, and one replica with a book."""

    def __init__(self, capacity: int = 100) -> None:
        self.seconds = 0.0
        self.costs = InMemoryCosts(self.now)
        self.book = PriceBook(
            self.costs,
            lambda cost: cost.cost_id,
            capacity=capacity,
            staleness=STALENESS,
            clock=lambda: self.seconds,
        )

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    async def look(self) -> None:
        await self.book.catch_up(await self.costs.beat(), self.seconds, self.seconds)

    async def set(self, tier: Tier, days: float = 0, *, by_this_replica: bool = False) -> Cost:
        async with self.costs.turn() as turn:
            number = len(self.costs.rows)
            draft = CostDraft(tier, Decimal(1), None, START + timedelta(days=days), "admin123")
            (cost,) = await turn.record([NewCost(f"cost_{number}", draft, ())])
        if by_this_replica:
            self.book.changed(Edition(cost.epoch, cost.recorded_at), [tier])
        return cost

    async def read(self, customer_id: str, app_id: str | None = None) -> InEffect:
        found = await self.costs.in_effect([Lookup(tier, None) for tier in tiers_for(customer_id, app_id)])
        self.book.learn(found)
        return found

    def answer(self, customer_id: str = "a", app_id: str | None = None) -> str | None:
        """The id of the row that the book prices a send by; None when it cannot tell."""
        price = self.book.price_now(customer_id, app_id)
        assert price is None or abs(price.resolved_at_us - micros_since_1970(self.now())) <= 1
        return price and (price.rendered or "no price")


@pytest.fixture
def world() -> World:
    return World()


async def test_the_book_answers_what_was_read_for_as_long_as_it_looks_for_changes(world: World) -> None:
    cost = await world.set(CUSTOMER)
    assert world.answer() is None
    await world.look()
    assert world.answer() is None
    await world.read("a")
    assert world.answer() == cost.cost_id
    world.seconds += 1.0
    assert world.answer() == cost.cost_id
    world.seconds += 0.001
    assert world.answer() is None
    await world.look()
    assert world.answer() == cost.cost_id


async def test_a_look_counts_from_when_it_was_asked_not_from_its_answer(world: World) -> None:
    await world.set(CUSTOMER)
    await world.look()
    await world.read("a")
    beat = await world.costs.beat()
    await world.book.catch_up(beat, asked_at=0.0, answered_at=0.9)
    world.seconds = 1.1
    assert world.book.price_now("a", None) is None


async def test_a_change_of_another_replica_is_forgotten_at_the_next_look(world: World) -> None:
    await world.set(CUSTOMER)
    await world.look()
    await world.read("a")
    await world.set(CUSTOMER)
    await world.look()
    assert world.answer() is None


async def test_an_own_change_is_forgotten_at_once(world: World) -> None:
    await world.look()
    await world.set(CUSTOMER)
    await world.read("a")
    await world.set(CUSTOMER, by_this_replica=True)
    assert world.answer() is None


async def test_a_change_leaves_the_other_tiers_alone(world: World) -> None:
    default = await world.set(DIRECT_CUSTOMER)
    await world.look()
    await world.read("a")
    await world.read("b")
    await world.set(CUSTOMER, by_this_replica=True)
    assert world.answer("b") == default.cost_id


async def test_what_was_read_before_a_change_is_not_learned_after_it(world: World) -> None:
    await world.set(CUSTOMER)
    await world.look()
    early = await world.costs.in_effect([Lookup(tier, None) for tier in tiers_for("a", None)])
    await world.set(CUSTOMER, by_this_replica=True)
    world.book.learn(early)
    assert world.answer() is None


async def test_a_future_price_takes_over_at_its_instant_on_the_databases_clock(world: World) -> None:
    first = await world.set(DIRECT_CUSTOMER)
    await world.set(CUSTOMER, days=0.5 / 86_400)
    await world.look()
    await world.read("a")
    price = world.book.price_now("a", None)
    assert price is not None
    assert price.rendered == first.cost_id
    assert price.valid_until_us == micros_since_1970(START + timedelta(seconds=0.5))
    world.seconds = 0.4999
    assert world.answer() == first.cost_id
    world.seconds = 0.5
    assert world.answer() is None


async def test_an_answer_names_the_edition_that_it_is_from(world: World) -> None:
    first = await world.set(CUSTOMER)
    await world.look()
    await world.read("a")
    price = world.book.price_now("a", None)
    assert price is not None
    assert price.edition == Edition(1, first.recorded_at)
    other = await world.set(TUKUPAY)
    await world.look()
    price = world.book.price_now("a", None)
    assert price is not None
    assert price.edition == Edition(2, other.recorded_at)


async def test_an_own_change_is_a_new_edition_at_once_if_no_other_lies_between(world: World) -> None:
    await world.set(CUSTOMER)
    await world.look()
    await world.read("a")
    own = await world.set(TUKUPAY, by_this_replica=True)
    price = world.book.price_now("a", None)
    assert price is not None
    assert price.edition == Edition(2, own.recorded_at)
    await world.set(DIRECT_CUSTOMER)
    await world.set(TUKUPAY, by_this_replica=True)
    price = world.book.price_now("a", None)
    assert price is not None
    assert price.edition == Edition(2, own.recorded_at)


async def test_an_answer_from_rows_of_different_editions_names_none(world: World) -> None:
    await world.set(DIRECT_CUSTOMER)
    await world.look()
    await world.read("b")
    await world.set(DIRECT_CUSTOMER)
    await world.read("b")
    price = world.book.price_now("b", None)
    assert price is not None
    assert (price.rendered, price.edition) == ("cost_1", None)


async def test_the_lack_of_a_price_is_known_too(world: World) -> None:
    await world.look()
    await world.read("a")
    assert world.answer() == "no price"


async def test_a_counter_that_fell_is_another_database(world: World) -> None:
    await world.set(CUSTOMER)
    await world.look()
    await world.read("a")
    world.costs = world.book._costs = InMemoryCosts(world.now)
    world.seconds += 0.1
    await world.look()
    assert world.answer() is None
    await world.read("a")
    assert world.answer() == "no price"


async def test_a_late_look_does_not_turn_back_time(world: World) -> None:
    late = await world.costs.beat()
    await world.set(CUSTOMER)
    world.seconds = 0.2
    await world.look()
    await world.read("a")
    await world.book.catch_up(late, asked_at=0.0, answered_at=0.2)
    assert world.answer() == "cost_0"


async def test_more_changes_than_are_worth_reading_forget_everything(world: World) -> None:
    await world.set(CUSTOMER)
    await world.look()
    await world.read("a")
    beat = await world.costs.beat()
    edition = Edition(beat.edition.epoch + FORGET_ALL + 1, beat.now)
    await world.book.catch_up(Beat(edition, beat.now), 0.0, 0.0)
    assert world.answer() is None


async def test_the_book_never_holds_more_than_its_capacity() -> None:
    world = World(capacity=10)
    await world.look()
    for number in range(200):
        await world.read(f"c{number}")
        assert world.book.size <= 10
    assert world.answer("c199") == "no price"
    assert world.answer("c0") is None


async def test_what_is_asked_for_again_and_again_stays() -> None:
    world = World(capacity=10)
    await world.look()
    for number in range(200):
        if world.answer("regular") is None:
            assert number == 0
            await world.read("regular")
        await world.read(f"c{number}")


async def test_a_book_is_filled_after_the_start_until_it_is_half_full(world: World) -> None:
    for tier in TIERS:
        await world.set(tier)
    await world.look()
    records = GroupedReads(world.costs, timedelta(seconds=5), world.book.learn)
    assert await WarmUp(world.costs, records, world.book)() == len(TIERS)
    assert world.answer("a", "b") == "cost_2"
    small = World(capacity=2)
    assert await WarmUp(world.costs, records, small.book)() == len(TIERS)


actions = st.one_of(
    st.tuples(st.just("set"), st.sampled_from(TIERS), st.sampled_from([-1.0, 0.3, 2.0])),
    st.tuples(st.just("own"), st.sampled_from(TIERS), st.sampled_from([-1.0, 0.3, 2.0])),
    st.tuples(st.just("look"), st.just(TUKUPAY), st.just(0.0)),
    st.tuples(st.just("read"), st.sampled_from(TIERS), st.just(0.0)),
    st.tuples(st.just("begin reading"), st.sampled_from(TIERS), st.just(0.0)),
    st.tuples(st.just("end reading"), st.just(TUKUPAY), st.just(0.0)),
    st.tuples(st.just("wait"), st.just(TUKUPAY), st.sampled_from([0.1, 0.5, 1.0])),
)


@settings(max_examples=effort(150, 3_000), deadline=None, database=None)
@given(st.lists(actions, max_size=40))
def test_an_answer_is_never_older_than_the_last_look_and_the_last_own_change(
    script: list[tuple[str, Tier, float]],
) -> None:
    async def play() -> None:
        scene = Scene()
        for action, tier, number in script:
            await scene.act(action, tier, number)
            for customer in ("a", "b"):
                answer = scene.world.answer(customer, "b")
                if answer is not None:
                    assert scene.world.seconds <= scene.looked_at + STALENESS.total_seconds()
                    assert answer in scene.allowed(customer)
                    assert answer == scene.in_edition_of(customer, answer)

    asyncio.run(play())


class Scene:
    """A world, and what its book is bound to know."""

    def __init__(self) -> None:
        self.world = World(capacity=6)
        self.looked_at = float("-inf")
        self._looked = 0
        self._own: dict[Tier, int] = {}
        self._reading: list[InEffect] = []

    async def act(self, action: str, tier: Tier, number: float) -> None:
        world = self.world
        tiers = tiers_for(tier.entity or "a", "b")
        if action in ("set", "own"):
            cost = await world.set(tier, number / 86_400, by_this_replica=action == "own")
            if action == "own":
                self._own[tier] = cost.epoch
        elif action == "look":
            await world.look()
            self._looked, self.looked_at = len(world.costs.rows), world.seconds
        elif action == "read":
            await world.read(tier.entity or "a", "b")
        elif action == "begin reading":
            self._reading.append(await world.costs.in_effect([Lookup(each, None) for each in tiers]))
        elif action == "end reading" and self._reading:
            world.book.learn(self._reading.pop())
        elif action == "wait":
            world.seconds += number

    def in_edition_of(self, customer_id: str, otherwise: str) -> str:
        """The answer of the edition that the book names; the other one while it names none."""
        price = self.world.book.price_now(customer_id, "b")
        if price is None or price.edition is None:
            return otherwise
        rows = self.world.costs.rows[: price.edition.epoch]
        assert price.edition.changed_at == (rows[-1].recorded_at if rows else None)
        for tier in tiers_for(customer_id, "b"):
            cost = standing((row for row in rows if row.tier == tier), self.world.now(), None).cost
            if cost is not None:
                return cost.cost_id
        return "no price"

    def allowed(self, customer_id: str) -> set[str]:
        """The answers of a book that has of each tier any state since the last look and the last own change of it."""
        rows = self.world.costs.rows
        answers: set[str] = set()
        for tier in tiers_for(customer_id, "b"):
            oldest = max(self._looked, self._own.get(tier, 0))
            states = [
                standing((row for row in rows[:seen] if row.tier == tier), self.world.now(), None).cost
                for seen in range(oldest, len(rows) + 1)
            ]
            answers |= {state.cost_id for state in states if state}
            if None not in states:
                return answers
        return answers | {"no price"}
