"""Prices as they were known, withdrawn before their time, explained, tried out and guarded."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from service_kit.errors import Kind
from tests.integration.pricing.conftest import (
    APP_OWNER,
    DIRECT_CUSTOMER,
    SPECIFIC_CUSTOMER,
    TUKUPAY,
    Pricing,
    pricing_on,
    refusal_of,
    timestamp,
)
from tukupay.sms.pricing.v1 import pricing_pb2 as pb


def in_days(days: float) -> Timestamp:
    message = Timestamp()
    message.FromDatetime((datetime.now(UTC) + timedelta(days=days)).replace(tzinfo=None))
    return message


async def price(
    pricing: Pricing, customer: str = "user123", at: Timestamp | None = None, known_at: Timestamp | None = None
) -> pb.Cost:
    request = pb.ResolvePriceRequest(customer_id=customer, at=at, known_at=known_at)
    return (await pricing.stub.ResolvePrice(request)).cost


async def withdraw(pricing: Pricing, cost: pb.Cost, **changes: str) -> pb.Cost:
    fields = {"cost_id": cost.cost_id, "withdrawn_by": "user456", "reason": "agreed otherwise"} | changes
    return (await pricing.stub.WithdrawCost(pb.WithdrawCostRequest(**fields))).cost


async def test_an_old_invoice_is_derived_again_exactly(pricing: Pricing) -> None:
    first = await pricing.set(TUKUPAY, 1_000_000)
    at = timestamp("2025-01-01T00:00:00Z")
    corrected = await pricing.set(TUKUPAY, 900_000)
    assert await price(pricing, at=at) == corrected
    assert await price(pricing, at=at, known_at=first.recorded_time) == first
    before = first.recorded_time.ToDatetime(UTC) - timedelta(microseconds=1)
    known_before = Timestamp()
    known_before.FromDatetime(before.replace(tzinfo=None))
    error = await refusal_of(price(pricing, at=at, known_at=known_before))
    assert (error.kind, error.reason) == (Kind.NOT_FOUND, "NO_PRICE")
    assert "as known at" in error.message


async def test_nobody_knows_what_will_be_known(pricing: Pricing) -> None:
    await pricing.set(TUKUPAY, 1_000_000)
    for explain in (False, True):
        request = pb.ResolvePriceRequest(customer_id="user123", known_at=in_days(1), explain=explain)
        error = await refusal_of(pricing.stub.ResolvePrice(request))
        assert error.kind is Kind.INVALID
        assert [violation.field for violation in error.violations] == ["known_at"]
    batch = pb.BatchResolvePricesRequest(requests=[pb.ResolvePriceRequest(customer_id="a", known_at=in_days(1))])
    (result,) = (await pricing.stub.BatchResolvePrices(batch)).results
    assert result.error.reason == "INVALID_ARGUMENT"


async def test_an_answer_says_until_when_it_holds(pricing: Pricing) -> None:
    await pricing.set(DIRECT_CUSTOMER, 800_000)
    later = await pricing.set(DIRECT_CUSTOMER, 900_000, effective_from=in_days(20))
    own = await pricing.set(SPECIFIC_CUSTOMER, 700_000, customer_id="user123", effective_from=in_days(10))
    for at in (None, in_days(0)):
        ours = await pricing.stub.ResolvePrice(pb.ResolvePriceRequest(customer_id="user123", at=at))
        assert ours.valid_until == own.effective_from
        others = await pricing.stub.ResolvePrice(pb.ResolvePriceRequest(customer_id="other", at=at))
        assert others.valid_until == later.effective_from
    last = await pricing.stub.ResolvePrice(pb.ResolvePriceRequest(customer_id="user123", at=in_days(30)))
    assert not last.HasField("valid_until")


async def test_a_future_price_can_be_withdrawn_and_stays_on_record(pricing: Pricing) -> None:
    await pricing.set(TUKUPAY, 1_000_000)
    cost = await pricing.set(TUKUPAY, 1_100_000, effective_from=in_days(10))
    assert await price(pricing, at=in_days(11)) == cost
    withdrawn = await withdraw(pricing, cost)
    assert (withdrawn.withdrawal.withdrawn_by, withdrawn.withdrawal.reason) == ("user456", "agreed otherwise")
    assert (await price(pricing, at=in_days(11))).price_micros == 1_000_000
    # As it was known then: without the withdrawal that came later.
    assert await price(pricing, at=in_days(11), known_at=cost.recorded_time) == cost
    history = await pricing.stub.ListCosts(pb.ListCostsRequest(level=TUKUPAY))
    assert history.costs[-1] == withdrawn
    assert await withdraw(pricing, cost) == withdrawn


@pytest.mark.parametrize("changes", [{"withdrawn_by": "user789"}, {"reason": "another"}])
async def test_a_second_withdrawal_is_told_who_was_first(pricing: Pricing, changes: dict[str, str]) -> None:
    cost = await pricing.set(TUKUPAY, 1_100_000, effective_from=in_days(10))
    await withdraw(pricing, cost)
    error = await refusal_of(withdraw(pricing, cost, **changes))
    assert (error.kind, error.reason) == (Kind.FAILED_PRECONDITION, "COST_WITHDRAWN")
    assert "user456" in error.message


async def test_a_price_in_force_is_superseded_not_withdrawn(pricing: Pricing) -> None:
    cost = await pricing.set(TUKUPAY, 1_000_000)
    error = await refusal_of(withdraw(pricing, cost))
    assert (error.kind, error.reason) == (Kind.FAILED_PRECONDITION, "COST_IN_FORCE")
    assert error.metadata == {"cost_id": cost.cost_id}


async def test_what_does_not_exist_cannot_be_withdrawn(pricing: Pricing) -> None:
    error = await refusal_of(withdraw(pricing, pb.Cost(cost_id="cost_none")))
    assert (error.kind, error.reason) == (Kind.NOT_FOUND, "COST_NOT_FOUND")
    error = await refusal_of(pricing.stub.WithdrawCost(pb.WithdrawCostRequest()))
    assert {violation.field for violation in error.violations} == {"cost_id", "withdrawn_by", "reason"}


async def test_a_withdrawal_is_told_to_watchers_in_its_order(pricing: Pricing) -> None:
    cost = await pricing.set(TUKUPAY, 1_100_000, effective_from=in_days(10))
    async with asyncio.timeout(20):
        watch = aiter(pricing.stub.WatchPrices(pb.WatchPricesRequest()))
        assert (await anext(watch)).epoch == 1
        withdrawn = await withdraw(pricing, cost)
        news = await anext(watch)
        while not news.changes:
            news = await anext(watch)
        assert (news.epoch, list(news.changes)) == (2, [withdrawn])


async def test_an_explanation_lists_every_row_and_its_fate(pricing: Pricing) -> None:
    await pricing.set(TUKUPAY, 1_000_000)
    await pricing.set(DIRECT_CUSTOMER, 800_000, effective_from=timestamp("2024-12-13T00:00:00Z"))
    await pricing.set(APP_OWNER, 650_000, app_id="app7")
    await pricing.set(APP_OWNER, 650_000, app_id="other")
    for micros, instant in ((500_000, "2024-01-01"), (600_000, "2024-12-13"), (700_000, "2024-12-13")):
        await pricing.set(
            SPECIFIC_CUSTOMER, micros, customer_id="user123", effective_from=timestamp(f"{instant}T00:00:00Z")
        )
    await pricing.set(SPECIFIC_CUSTOMER, 750_000, customer_id="user123", effective_from=in_days(10))
    await withdraw(
        pricing, await pricing.set(SPECIFIC_CUSTOMER, 760_000, customer_id="user123", effective_from=in_days(20))
    )
    request = pb.ResolvePriceRequest(customer_id="user123", app_id="app7", explain=True)
    answer = await pricing.stub.ResolvePrice(request)
    assert answer.cost.price_micros == 700_000
    fates = [
        (candidate.cost.price_micros, pb.CandidateVerdict.Name(candidate.verdict).removeprefix("CANDIDATE_VERDICT_"))
        for candidate in answer.candidates
    ]
    assert fates == [
        (760_000, "WITHDRAWN"),
        (750_000, "NOT_YET_EFFECTIVE"),
        (700_000, "WON"),
        (600_000, "REVISED"),
        (500_000, "SUPERSEDED"),
        (650_000, "WEAKER_LEVEL"),
        (800_000, "WEAKER_LEVEL"),
        (1_000_000, "WEAKER_LEVEL"),
    ]
    words = [candidate.explanation for candidate in answer.candidates]
    assert words[0].startswith("was withdrawn by user456 on ")
    assert words[0].endswith("agreed otherwise")
    assert words[2] == (
        "applies: SpecificCustomer user123 is the strongest level with a price in effect, and this is its newest row, "
        "in effect since 2024-12-13 UTC"
    )
    assert words[5] == (
        "is in effect, but SpecificCustomer user123 comes before AppOwner app7 and has a price in effect"
    )


async def test_an_explanation_of_a_long_history_is_bounded(pricing: Pricing) -> None:
    rows = [
        pb.SetCostRequest(
            level=DIRECT_CUSTOMER,
            price_micros=800_000 + number,
            effective_from=Timestamp(seconds=1_700_000_000 + number),
            created_by="admin123",
        )
        for number in range(3_000)
    ]
    await pricing.stub.ImportCosts(pb.ImportCostsRequest(rows=rows))
    request = pb.ResolvePriceRequest(customer_id="a", at=Timestamp(seconds=1_700_001_500), explain=True)
    answer = await pricing.stub.ResolvePrice(request)
    assert answer.cost.price_micros == 801_500
    assert 300 <= len(answer.candidates) <= 1_000
    prices = [candidate.cost.price_micros for candidate in answer.candidates]
    assert prices == list(range(prices[0], prices[-1] - 1, -1))


async def test_drafts_take_part_and_are_not_recorded(pricing: Pricing) -> None:
    cost = await pricing.set(SPECIFIC_CUSTOMER, 700_000, customer_id="user123")
    january = timestamp("2025-01-01T00:00:00Z")
    drafts = [
        pb.DraftCost(level=DIRECT_CUSTOMER, price_micros=0, effective_from=cost.effective_from),
        pb.DraftCost(
            level=SPECIFIC_CUSTOMER, price_micros=600_000, customer_id="user123", effective_from=cost.effective_from
        ),
        pb.DraftCost(level=SPECIFIC_CUSTOMER, price_micros=500_000, customer_id="user123", effective_from=january),
    ]
    requests = [
        pb.ResolvePriceRequest(customer_id="other"),
        pb.ResolvePriceRequest(customer_id="user123", at=cost.effective_from, known_at=cost.recorded_time),
        pb.ResolvePriceRequest(customer_id="user123", at=january),
    ]
    batch = pb.BatchResolvePricesRequest(requests=requests, drafts=drafts)
    prices = [result.price for result in (await pricing.stub.BatchResolvePrices(batch)).results]
    assert [(each.cost.cost_id, each.cost.price_micros) for each in prices] == [
        ("draft_0", 0),
        ("draft_1", 600_000),
        ("draft_2", 500_000),
    ]
    assert prices[1].valid_until == january
    assert not prices[0].cost.HasField("recorded_time")
    assert (await pricing.stub.ListCosts(pb.ListCostsRequest(level=DIRECT_CUSTOMER))).costs == []
    assert await price(pricing) == cost


async def test_drafts_at_fault_are_named_by_their_place(pricing: Pricing) -> None:
    drafts = [
        pb.DraftCost(level=TUKUPAY, price_micros=1, effective_from=in_days(0)),
        pb.DraftCost(level=TUKUPAY, price_micros=-1, customer_id="a"),
    ]
    batch = pb.BatchResolvePricesRequest(requests=[pb.ResolvePriceRequest(customer_id="a")], drafts=drafts)
    error = await refusal_of(pricing.stub.BatchResolvePrices(batch))
    assert {violation.field for violation in error.violations} == {
        "drafts[1].price_micros",
        "drafts[1].customer_id",
        "drafts[1].effective_from",
    }
    too_many = pb.BatchResolvePricesRequest(requests=batch.requests, drafts=drafts[:1] * 1_001)
    error = await refusal_of(pricing.stub.BatchResolvePrices(too_many))
    assert [violation.field for violation in error.violations] == ["drafts"]


async def test_an_unusual_price_is_recorded_only_when_it_is_meant(pricing: Pricing) -> None:
    await pricing.set(TUKUPAY, 1_000_000)
    error = await refusal_of(pricing.set(TUKUPAY, 10_000_000, effective_from=in_days(400)))
    assert (error.kind, error.reason) == (Kind.FAILED_PRECONDITION, "PRICE_GUARD")
    assert error.metadata == {"guards": "FAR_FUTURE,RELATIVE_CHANGE"}
    assert {violation.field for violation in error.violations} == {"price_micros", "effective_from"}
    cost = await pricing.set(TUKUPAY, 10_000_000, effective_from=in_days(400), override_guards=True)
    assert list(cost.overridden_guards) == [pb.PRICE_GUARD_RELATIVE_CHANGE, pb.PRICE_GUARD_FAR_FUTURE]
    assert list((await pricing.set(TUKUPAY, 1_100_000, override_guards=True)).overridden_guards) == []
    history = await pricing.stub.ListCosts(pb.ListCostsRequest(level=TUKUPAY))
    assert history.costs[-1] == cost


async def test_free_is_free_only_where_it_was_asked_for(pricing: Pricing) -> None:
    error = await refusal_of(pricing.set(DIRECT_CUSTOMER, 0, override_guards=True))
    assert error.kind is Kind.INVALID
    cost = await pricing.set(DIRECT_CUSTOMER, 0, allow_free=True)
    assert await price(pricing) == cost
    assert cost.price_micros == 0


async def test_the_same_request_at_once_makes_one_row(pricing: Pricing, pricing_url: str) -> None:
    async with pricing_on(pricing_url) as other:
        await other.until_serving()
        request = pb.SetCostRequest(
            level=TUKUPAY,
            price_micros=1_000_000,
            reason="internal",
            effective_from=in_days(0),
            created_by="admin123",
            idempotency_key="once",
        )
        answers = await asyncio.gather(*((pricing, other)[number % 2].stub.SetCost(request) for number in range(20)))
        assert len({answer.cost.cost_id for answer in answers}) == 1
        assert sorted(answer.replayed for answer in answers) == [False] + 19 * [True]
        assert len((await pricing.stub.ListCosts(pb.ListCostsRequest(level=TUKUPAY))).costs) == 1
        request.price_micros += 1
        error = await refusal_of(pricing.stub.SetCost(request))
        assert (error.kind, error.reason) == (Kind.ALREADY_EXISTS, "IDEMPOTENCY_KEY_REUSED")


async def test_who_sets_a_price_sees_it_at_once_whatever_is_in_memory(pricing: Pricing) -> None:
    for number in range(50):
        cost = await pricing.set(TUKUPAY, 1_000_000 + number)
        assert await price(pricing) == cost


async def test_another_replica_sees_a_change_within_a_second(pricing: Pricing, pricing_url: str) -> None:
    async with pricing_on(pricing_url) as other, asyncio.timeout(20):
        await other.until_serving()
        await pricing.set(TUKUPAY, 1_000_000)
        await price(other)
        cost = await pricing.set(TUKUPAY, 1_100_000)
        loop = asyncio.get_running_loop()
        since = loop.time()
        while await price(other) != cost:
            assert loop.time() - since < 1.0
        # A batch is never behind.
        cost = await pricing.set(TUKUPAY, 1_200_000)
        batch = pb.BatchResolvePricesRequest(requests=[pb.ResolvePriceRequest(customer_id="user123")])
        assert (await other.stub.BatchResolvePrices(batch)).results[0].price.cost == cost


async def test_a_watcher_who_asks_again_is_never_given_what_was_before_the_change(
    pricing: Pricing, pricing_url: str
) -> None:
    async with pricing_on(pricing_url) as other, asyncio.timeout(20):
        await other.until_serving()
        await other.set(TUKUPAY, 1_000_000)
        watch = aiter(pricing.stub.WatchPrices(pb.WatchPricesRequest()))
        await anext(watch)
        for number in range(3):
            await price(pricing)
            cost = await other.set(TUKUPAY, 1_100_000 + number)
            news = await anext(watch)
            while not news.changes:
                news = await anext(watch)
            assert await price(pricing) == cost


async def test_answers_from_memory_and_from_the_records_are_alike(pricing: Pricing) -> None:
    await pricing.set(DIRECT_CUSTOMER, 800_000)
    await pricing.set(DIRECT_CUSTOMER, 900_000, effective_from=in_days(10))
    request = pb.ResolvePriceRequest(customer_id="user123", app_id="app7")
    first, second = [await pricing.stub.ResolvePrice(request) for _ in range(2)]
    again = await pricing.stub.ResolvePrice(
        pb.ResolvePriceRequest(customer_id="user123", app_id="app7", at=second.resolved_at)
    )
    assert second == again
    assert first.resolved_at.ToNanoseconds() <= second.resolved_at.ToNanoseconds() + 1_000_000_000
    age = datetime.now(UTC) - second.resolved_at.ToDatetime(UTC)
    assert abs(age) < timedelta(seconds=1)
