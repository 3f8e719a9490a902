"""The price of a send, one at a time and in batches."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from google.rpc import code_pb2

from service_kit.errors import Kind
from tests.integration.pricing.conftest import (
    APP_OWNER,
    DEADLINE_S,
    DIRECT_CUSTOMER,
    SPECIFIC_CUSTOMER,
    TUKUPAY,
    Pricing,
    refusal_of,
    timestamp,
)
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

PRICES = {"C": 600_000, "A": 650_000, "D": 800_000, "T": 1_000_000}


async def set_prices(pricing: Pricing, letters: str) -> None:
    levels = {
        "C": (SPECIFIC_CUSTOMER, {"customer_id": "user123"}),
        "A": (APP_OWNER, {"app_id": "app7"}),
        "D": (DIRECT_CUSTOMER, {}),
        "T": (TUKUPAY, {}),
    }
    for letter in letters:
        level, entity = levels[letter]
        await pricing.set(level, PRICES[letter], **entity)


@pytest.mark.parametrize(
    ("have", "through_app", "through_none"),
    [("T", "T", "T"), ("DT", "D", "D"), ("ADT", "A", "D"), ("AT", "A", "T"), ("CADT", "C", "C")],
)
async def test_the_strongest_tier_prices_the_send(
    pricing: Pricing, have: str, through_app: str, through_none: str
) -> None:
    await set_prices(pricing, have)
    by_app = await pricing.stub.ResolvePrice(pb.ResolvePriceRequest(customer_id="user123", app_id="app7"))
    by_none = await pricing.stub.ResolvePrice(pb.ResolvePriceRequest(customer_id="user123"))
    assert by_app.cost.price_micros == PRICES[through_app]
    assert by_none.cost.price_micros == PRICES[through_none]


async def test_a_send_is_priced_for_its_own_instant(pricing: Pricing) -> None:
    await pricing.set(TUKUPAY, 1, effective_from=timestamp("2024-01-01T00:00:00Z"))
    await pricing.set(TUKUPAY, 2, effective_from=timestamp("2025-01-01T00:00:00Z"))
    request = pb.ResolvePriceRequest(customer_id="user123", at=timestamp("2024-12-31T23:59:59.999999Z"))
    answer = await pricing.stub.ResolvePrice(request)
    assert answer.cost.price_micros == 1
    assert answer.resolved_at == request.at
    request.at.CopyFrom(timestamp("2025-01-01T00:00:00Z"))
    assert (await pricing.stub.ResolvePrice(request)).cost.price_micros == 2


async def test_without_an_instant_the_price_is_that_of_now(pricing: Pricing) -> None:
    await set_prices(pricing, "T")
    answer = await pricing.stub.ResolvePrice(pb.ResolvePriceRequest(customer_id="user123"))
    age = datetime.now(UTC) - answer.resolved_at.ToDatetime(UTC)
    assert abs(age) < timedelta(minutes=1)


async def test_no_price_is_an_error_that_names_the_remedy_and_never_a_price_of_nothing(
    pricing: Pricing,
) -> None:
    request = pb.ResolvePriceRequest(customer_id="user123", app_id="app7", at=timestamp("2024-12-13T08:00:00Z"))
    error = await refusal_of(pricing.stub.ResolvePrice(request))
    assert (error.kind, error.reason) == (Kind.NOT_FOUND, "NO_PRICE")
    assert error.metadata == {"customer_id": "user123", "app_id": "app7"}
    assert error.message == (
        "no price is in effect at 2024-12-13T08:00:00Z for customer user123 through app app7: "
        "set a DirectCustomer or TukuPay cost effective at that time"
    )


async def test_a_question_is_told_every_field_at_fault(pricing: Pricing) -> None:
    request = pb.ResolvePriceRequest(app_id="")
    request.at.seconds = 10**15
    error = await refusal_of(pricing.stub.ResolvePrice(request))
    assert {violation.field for violation in error.violations} == {"customer_id", "app_id", "at"}


@pytest.mark.parametrize("app", ["", "  ", "a" * 65, "a\x00"])
async def test_an_app_at_fault_is_refused_whatever_is_in_memory(pricing: Pricing, app: str) -> None:
    await set_prices(pricing, "CADT")
    question = pb.ResolvePriceRequest(customer_id="user123", app_id="app7")
    for _ in range(3):
        assert (await pricing.stub.ResolvePrice(question)).cost.price_micros == PRICES["C"]
    question.app_id = app
    error = await refusal_of(pricing.stub.ResolvePrice(question))
    assert (error.kind, [violation.field for violation in error.violations]) == (Kind.INVALID, ["app_id"])


async def test_a_batch_answers_each_question_in_its_place(pricing: Pricing) -> None:
    await pricing.set(SPECIFIC_CUSTOMER, 600_000, customer_id="user123")
    await pricing.set(APP_OWNER, 650_000, app_id="app7")
    request = pb.BatchResolvePricesRequest(
        requests=[
            pb.ResolvePriceRequest(customer_id="stranger"),
            pb.ResolvePriceRequest(customer_id="user123"),
            pb.ResolvePriceRequest(customer_id=""),
            pb.ResolvePriceRequest(customer_id="stranger", app_id="app7"),
            pb.ResolvePriceRequest(customer_id="user123", at=timestamp("2020-01-01T00:00:00Z")),
        ]
    )
    results = (await pricing.stub.BatchResolvePrices(request)).results
    answers = [result.price.cost.price_micros or (result.error.code, result.error.reason) for result in results]
    assert answers == [
        (code_pb2.NOT_FOUND, "NO_PRICE"),
        600_000,
        (code_pb2.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
        650_000,
        (code_pb2.NOT_FOUND, "NO_PRICE"),
    ]


async def test_a_thousand_questions_are_answered_at_one_instant(pricing: Pricing) -> None:
    await set_prices(pricing, "CDT")
    requests = [pb.ResolvePriceRequest(customer_id=f"user{number}") for number in range(1_000)]
    answer = await pricing.stub.BatchResolvePrices(pb.BatchResolvePricesRequest(requests=requests))
    prices = [result.price.cost.price_micros for result in answer.results]
    assert prices == [600_000 if number == 123 else 800_000 for number in range(1_000)]
    assert len({result.price.resolved_at.ToNanoseconds() for result in answer.results}) == 1


async def test_every_answer_says_how_it_can_be_derived_again(pricing: Pricing) -> None:
    await pricing.set(DIRECT_CUSTOMER, 800_000)
    newest = await pricing.set(TUKUPAY, 1_000_000)
    question = pb.ResolvePriceRequest(customer_id="user123")
    (in_batch,) = (await pricing.stub.BatchResolvePrices(pb.BatchResolvePricesRequest(requests=[question]))).results
    explained = await pricing.stub.ResolvePrice(pb.ResolvePriceRequest(customer_id="user123", explain=True))
    single = await pricing.stub.ResolvePrice(question)
    async with asyncio.timeout(DEADLINE_S):
        # From memory: not in the moments after a change.
        while not single.HasField("epoch"):
            single = await pricing.stub.ResolvePrice(question)
    for answer in (in_batch.price, explained, single):
        assert (answer.epoch, answer.known_at) == (2, newest.recorded_time)
    await pricing.set(DIRECT_CUSTOMER, 900_000)
    await pricing.set(SPECIFIC_CUSTOMER, 700_000, customer_id="user123")
    for answer in (in_batch.price, explained, single):
        again = pb.ResolvePriceRequest(customer_id="user123", at=answer.resolved_at, known_at=answer.known_at)
        derived = await pricing.stub.ResolvePrice(again)
        assert (derived.cost, derived.known_at) == (single.cost, newest.recorded_time)


@pytest.mark.parametrize("count", [0, 1_001])
async def test_a_batch_of_none_or_too_many_is_refused_as_a_whole(pricing: Pricing, count: int) -> None:
    request = pb.BatchResolvePricesRequest(requests=[pb.ResolvePriceRequest(customer_id="a")] * count)
    error = await refusal_of(pricing.stub.BatchResolvePrices(request))
    assert [violation.field for violation in error.violations] == ["requests"]


async def test_a_batch_of_bad_questions_only_needs_no_database(pricing: Pricing) -> None:
    request = pb.BatchResolvePricesRequest(requests=[pb.ResolvePriceRequest()])
    results = (await pricing.stub.BatchResolvePrices(request)).results
    assert [result.error.code for result in results] == [code_pb2.INVALID_ARGUMENT]
    assert [each.field for each in results[0].error.violations] == ["customer_id"]
