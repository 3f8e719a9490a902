"""Any history of prices, revisions and withdrawals: answers equal those of a plain walk through the events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pricing_service.adapters.postgres_costs import PostgresCosts
from pricing_service.domain.cost import CostDraft
from pricing_service.domain.explanation import Verdict
from pricing_service.domain.price_question import PriceQuestion
from pricing_service.domain.resolution import DraftPrice
from pricing_service.domain.tier import DIRECT_CUSTOMER, TUKUPAY, Level, Tier
from pricing_service.use_cases.cost_repository import CostRepository, NewCost
from pricing_service.use_cases.resolve_prices import ResolvedPrice, ResolvePrices
from service_kit.errors import ServiceError
from service_kit.postgres.database import create_pool
from tests.doubles.in_memory_costs import InMemoryCosts
from tests.system.effort import effort

# Few names and instants, so that ties and near misses are common; some in the future, where rows can be withdrawn.
PAST = datetime(2024, 12, 1, tzinfo=UTC)
FUTURE = datetime(2090, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
INSTANTS = [base + step * TICK for base in (PAST, FUTURE) for step in range(3)]
TIERS: Sequence[Tier] = (
    TUKUPAY,
    DIRECT_CUSTOMER,
    *(Tier(level, name) for level in (Level.SPECIFIC_CUSTOMER, Level.APP_OWNER) for name in ("a", "b")),
)


@dataclass(frozen=True)
class Setting:
    tier: Tier
    instant: datetime


@dataclass(frozen=True)
class Withdrawing:
    choice: int
    """Which of the rows that can be withdrawn, counted around."""


@dataclass(frozen=True)
class Asking:
    customer_id: str
    app_id: str | None
    at: datetime
    after_event: int | None
    """As known after so many events; None for all."""


events = st.lists(
    st.one_of(
        st.builds(Setting, st.sampled_from(TIERS), st.sampled_from(INSTANTS)),
        st.builds(Withdrawing, st.integers(min_value=0, max_value=30)),
    ),
    max_size=20,
)
askings = st.lists(
    st.builds(
        Asking,
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([None, "a", "b", "c"]),
        st.sampled_from([PAST - TICK, *INSTANTS, FUTURE + timedelta(days=1)]),
        st.one_of(st.none(), st.integers(min_value=1, max_value=20)),
    ),
    min_size=1,
    max_size=20,
)
drafts = st.lists(st.builds(Setting, st.sampled_from(TIERS), st.sampled_from(INSTANTS)), max_size=4)


@dataclass
class Row:
    """What the oracle knows of a row."""

    name: str
    tier: Tier
    instant: datetime
    recorded: float
    """The number of the event."""
    withdrawn: float = float("inf")


def happened(history: Sequence[Setting | Withdrawing]) -> list[Row]:
    """The rows of a history, with the numbers of the events that made and withdrew them."""
    rows: list[Row] = []
    for number, event in enumerate(history, start=1):
        if isinstance(event, Setting):
            rows.append(Row(f"cost_{number}", event.tier, event.instant, number))
        elif open_rows := [row for row in rows if row.instant >= FUTURE and row.withdrawn == float("inf")]:
            open_rows[event.choice % len(open_rows)].withdrawn = number
    return rows


def oracle(rows: Sequence[Row], asked: Asking) -> tuple[str, datetime | None] | None:
    """The winner and the instant at which another one takes over, by trying every instant there is."""
    known = float("inf") if asked.after_event is None else asked.after_event
    still = [row for row in rows if row.name.startswith("draft") or row.recorded <= known]
    still = [row for row in still if row.withdrawn > known or row.withdrawn == float("inf")]

    def winner(at: datetime) -> str | None:
        for level, entity in (
            (Level.SPECIFIC_CUSTOMER, asked.customer_id),
            (Level.APP_OWNER, asked.app_id),
            (Level.DIRECT_CUSTOMER, ""),
            (Level.TUKUPAY, ""),
        ):
            begun = [row for row in still if row.tier == Tier(level, entity or "") and row.instant <= at]
            if begun:
                return max(begun, key=lambda row: (row.instant, row.recorded)).name
        return None

    now = winner(asked.at)
    if now is None:
        return None
    later = sorted({row.instant for row in still if row.instant > asked.at})
    return now, next((instant for instant in later if winner(instant) != now), None)


def facts(answer: ResolvedPrice | ServiceError) -> tuple[str, datetime | None] | None:
    if isinstance(answer, ServiceError):
        assert answer.reason == "NO_PRICE"
        return None
    assert answer.cost.withdrawal is None
    return answer.cost.cost_id, answer.valid_until


async def play(costs: CostRepository, history: Sequence[Setting | Withdrawing]) -> list[datetime]:
    """Plays a history into a price book; the instants at which its events were recorded."""
    rows: list[Row] = []
    instants: list[datetime] = []
    for number, event in enumerate(history, start=1):
        async with costs.turn() as turn:
            instants.append(turn.now)
            if isinstance(event, Setting):
                draft = CostDraft(event.tier, Decimal(number), None, event.instant, "admin123")
                await turn.record([NewCost(f"cost_{number}", draft, ())])
                rows.append(Row(f"cost_{number}", event.tier, event.instant, number))
            elif open_rows := [row for row in rows if row.instant >= FUTURE and row.withdrawn == float("inf")]:
                row = open_rows[event.choice % len(open_rows)]
                await turn.withdraw(row.name, "user456", "agreed otherwise")
                row.withdrawn = number
    return instants


def questions(asked: Sequence[Asking], instants: Sequence[datetime]) -> list[PriceQuestion]:
    """In the instants of a price book; an event that never came is the last one."""
    known = [None if each.after_event is None else instants[min(each.after_event, len(instants)) - 1] for each in asked]
    return [
        PriceQuestion(each.customer_id, each.app_id, each.at, known_at)
        for each, known_at in zip(asked, known, strict=True)
    ]


@settings(
    max_examples=effort(30, 300),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=events, asked=askings, tried=drafts)
def test_every_answer_equals_the_oracles(
    empty_pricing_database: Callable[[], str],
    history: list[Setting | Withdrawing],
    asked: list[Asking],
    tried: list[Setting],
) -> None:
    history = [Setting(TUKUPAY, PAST), *history]
    rows = happened(history)
    with_drafts = [
        *rows,
        *(Row(f"draft_{place}", each.tier, each.instant, 1_000 + place) for place, each in enumerate(tried)),
    ]
    draft_prices = [DraftPrice(place, each.tier, Decimal(1), each.instant) for place, each in enumerate(tried)]

    async def compare() -> None:
        async with create_pool(empty_pricing_database(), "contract") as pool:
            for costs in (InMemoryCosts(lambda: datetime.now(UTC)), PostgresCosts(pool)):
                resolve = ResolvePrices(costs)
                wording = questions(asked, await play(costs, history))
                answers = await resolve.many(wording)
                assert [facts(answer) for answer in answers] == [oracle(rows, each) for each in asked]
                assert [facts(answer) for answer in await resolve.many(wording, draft_prices)] == [
                    oracle(with_drafts, each) for each in asked
                ]
                for question, answer in zip(wording, answers, strict=True):
                    if isinstance(answer, ResolvedPrice):
                        await explains(resolve, question, answer)

    asyncio.run(compare())


async def explains(resolve: ResolvePrices, question: PriceQuestion, answer: ResolvedPrice) -> None:
    explained = await resolve.explained(question)
    assert facts(explained) == facts(answer)
    won = [candidate.cost for candidate in explained.candidates if candidate.verdict is Verdict.WON]
    assert won == [answer.cost]
    counting = (Verdict.WON, Verdict.WEAKER_LEVEL, Verdict.SUPERSEDED)
    assert next(each for each in explained.candidates if each.verdict in counting).verdict is Verdict.WON


@settings(
    max_examples=effort(20, 150),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(before=events, later=events, asked=askings)
def test_nothing_recorded_later_changes_an_answer_as_known_before(
    empty_pricing_database: Callable[[], str],
    before: list[Setting | Withdrawing],
    later: list[Setting | Withdrawing],
    asked: list[Asking],
) -> None:
    async def compare() -> None:
        async with create_pool(empty_pricing_database(), "contract") as pool:
            costs = PostgresCosts(pool)
            resolve = ResolvePrices(costs)
            await play(costs, before)
            known_at = await costs.settled_now()
            wording = [PriceQuestion(each.customer_id, each.app_id, each.at, known_at) for each in asked]
            first = [facts(answer) for answer in await resolve.many(wording)]
            by_what_is_known = [PriceQuestion(each.customer_id, each.app_id, each.at) for each in asked]
            assert first == [facts(answer) for answer in await resolve.many(by_what_is_known)]
            await play_on(costs, later)
            assert [facts(answer) for answer in await resolve.many(wording)] == first

    asyncio.run(compare())


async def play_on(costs: CostRepository, history: Sequence[Setting | Withdrawing]) -> None:
    """Plays more events, whose withdrawals may be about any row there is."""
    for number, event in enumerate(history):
        async with costs.turn() as turn:
            if isinstance(event, Setting):
                draft = CostDraft(event.tier, Decimal(number + 1), None, event.instant, "admin123")
                await turn.record([NewCost(f"later_{number}", draft, ())])
                continue
            names = [f"cost_{place}" for place in range(1, 21)] + [f"later_{place}" for place in range(20)]
            found = (await turn.find(names)).values()
            open_rows = [row for row in found if row.withdrawal is None and row.effective_from >= FUTURE]
            if open_rows:
                open_rows.sort(key=lambda row: row.epoch)
                await turn.withdraw(open_rows[event.choice % len(open_rows)].cost_id, "user456", "agreed otherwise")
