"""The documented requests for managing costs, and what each of them comes to."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from service_kit.errors import Kind
from tests.integration.pricing.conftest import (
    APP_OWNER,
    DIRECT_CUSTOMER,
    SPECIFIC_CUSTOMER,
    TUKUPAY,
    Pricing,
    refusal_of,
    timestamp,
)
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

DECEMBER_13 = timestamp("2024-12-13T00:00:00Z")


async def test_a_customer_price_is_recorded_with_its_author_and_reason(pricing: Pricing) -> None:
    request = pb.SetCostRequest(
        level=SPECIFIC_CUSTOMER,
        price_micros=700_000,
        customer_id="cust123",
        reason="Custom pricing for high-volume customer",
        effective_from=DECEMBER_13,
        created_by="admin123",
    )
    cost = (await pricing.stub.SetCost(request)).cost
    assert re.fullmatch(r"cost_[0-9a-f]{32}", cost.cost_id)
    age = datetime.now(UTC) - cost.recorded_time.ToDatetime(UTC)
    assert abs(age) < timedelta(minutes=1)
    assert cost == pb.Cost(
        cost_id=cost.cost_id,
        level=SPECIFIC_CUSTOMER,
        price_micros=700_000,
        customer_id="cust123",
        reason="Custom pricing for high-volume customer",
        effective_from=DECEMBER_13,
        created_by="admin123",
        recorded_time=cost.recorded_time,
        revision=1,
    )
    assert not cost.HasField("app_id")


async def test_the_default_customer_price_has_neither_customer_nor_app(pricing: Pricing) -> None:
    cost = await pricing.set(DIRECT_CUSTOMER, 800_000, reason="Default customer cost")
    assert (cost.level, cost.price_micros, cost.reason) == (DIRECT_CUSTOMER, 800_000, "Default customer cost")
    assert not cost.HasField("customer_id")
    assert not cost.HasField("app_id")


async def test_a_price_without_a_reason_has_no_reason(pricing: Pricing) -> None:
    cost = await pricing.set(APP_OWNER, 650_000, app_id="app7", reason=None)
    assert cost.app_id == "app7"
    assert not cost.HasField("reason")


async def test_the_current_price_of_a_customer_is_its_own(pricing: Pricing) -> None:
    await pricing.set(DIRECT_CUSTOMER, 800_000)
    own = await pricing.set(SPECIFIC_CUSTOMER, 700_000, customer_id="cust123")
    request = pb.GetCurrentCostRequest(level=SPECIFIC_CUSTOMER, customer_id="cust123")
    assert (await pricing.stub.GetCurrentCost(request)).cost == own


async def test_the_current_price_of_a_customer_without_one_is_the_default(pricing: Pricing) -> None:
    default = await pricing.set(DIRECT_CUSTOMER, 800_000)
    await pricing.set(SPECIFIC_CUSTOMER, 700_000, customer_id="cust123")
    request = pb.GetCurrentCostRequest(level=SPECIFIC_CUSTOMER, customer_id="cust456")
    assert (await pricing.stub.GetCurrentCost(request)).cost == default


@pytest.mark.parametrize(
    "request_",
    [
        pb.GetCurrentCostRequest(level=SPECIFIC_CUSTOMER, customer_id="cust123"),
        pb.GetCurrentCostRequest(level=APP_OWNER, app_id="app7"),
        pb.GetCurrentCostRequest(level=DIRECT_CUSTOMER),
        pb.GetCurrentCostRequest(level=TUKUPAY),
    ],
    ids=lambda request: pb.CostLevel.Name(request.level),
)
async def test_every_level_falls_back_to_tukupay_and_says_when_that_has_no_price(
    pricing: Pricing, request_: pb.GetCurrentCostRequest
) -> None:
    error = await refusal_of(pricing.stub.GetCurrentCost(request_))
    assert (error.kind, error.reason) == (Kind.NOT_FOUND, "NO_PRICE")
    assert "TukuPay" in error.message
    expected = {"customer_id": request_.customer_id, "app_id": request_.app_id}
    assert {key: value for key, value in error.metadata.items() if key != "level"} == {
        key: value for key, value in expected.items() if value
    }
    await pricing.set(TUKUPAY, 1_000_000)
    assert (await pricing.stub.GetCurrentCost(request_)).cost.level == TUKUPAY


async def test_a_future_price_is_not_current_yet(pricing: Pricing) -> None:
    current = await pricing.set(TUKUPAY, 1_000_000)
    await pricing.set(TUKUPAY, 2_000_000, effective_from=timestamp("2100-01-01T00:00:00Z"), override_guards=True)
    assert (await pricing.stub.GetCurrentCost(pb.GetCurrentCostRequest(level=TUKUPAY))).cost == current


async def test_the_history_of_a_customer_begins_with_its_fallback(pricing: Pricing) -> None:
    default = await pricing.set(
        DIRECT_CUSTOMER, 800_000, effective_from=timestamp("2024-11-01T00:00:00Z"), created_by="admin123"
    )
    own = await pricing.set(
        SPECIFIC_CUSTOMER,
        700_000,
        customer_id="cust123",
        effective_from=timestamp("2024-12-01T00:00:00Z"),
        created_by="user456",
    )
    request = pb.ListCostsRequest(level=SPECIFIC_CUSTOMER, customer_id="cust123")
    assert await pricing.stub.ListCosts(request) == pb.ListCostsResponse(costs=[default, own])


async def test_setting_a_price_again_keeps_both_rows_and_uses_the_newer(pricing: Pricing) -> None:
    first = await pricing.set(DIRECT_CUSTOMER, 800_000)
    second = await pricing.set(DIRECT_CUSTOMER, 750_000)
    assert (first.revision, second.revision) == (1, 2)
    current = await pricing.stub.GetCurrentCost(pb.GetCurrentCostRequest(level=DIRECT_CUSTOMER))
    assert current.cost == second
    history = await pricing.stub.ListCosts(pb.ListCostsRequest(level=DIRECT_CUSTOMER))
    assert list(history.costs) == [first, second]


async def test_a_bad_request_is_told_every_field_at_fault(pricing: Pricing) -> None:
    request = pb.SetCostRequest(level=DIRECT_CUSTOMER, customer_id="cust123", reason="x" * 501)
    request.effective_from.nanos = -1
    error = await refusal_of(pricing.stub.SetCost(request))
    assert error.kind is Kind.INVALID
    assert {violation.field: violation.reason for violation in error.violations} == {
        "effective_from": "MALFORMED",
        "customer_id": "NOT_ALLOWED",
        "price_micros": "OUT_OF_RANGE",
        "reason": "TOO_LONG",
        "created_by": "REQUIRED",
    }
    history = await pricing.stub.ListCosts(pb.ListCostsRequest(level=DIRECT_CUSTOMER))
    assert history == pb.ListCostsResponse()


@pytest.mark.parametrize("level", [0, 99])
async def test_a_level_that_does_not_exist_is_refused_everywhere(pricing: Pricing, level: int) -> None:
    unknown = pb.CostLevel.ValueType(level)
    for call in (
        pricing.stub.SetCost(pb.SetCostRequest(level=unknown)),
        pricing.stub.GetCurrentCost(pb.GetCurrentCostRequest(level=unknown)),
        pricing.stub.ListCosts(pb.ListCostsRequest(level=unknown)),
    ):
        error = await refusal_of(call)
        assert "level" in {violation.field for violation in error.violations}


async def test_pages_follow_their_tokens_to_the_end(pricing: Pricing) -> None:
    rows = [await pricing.set(DIRECT_CUSTOMER, 800_000 + number) for number in range(5)]
    request = pb.ListCostsRequest(level=SPECIFIC_CUSTOMER, customer_id="cust123", page_size=2)
    sizes: list[int] = []
    listed: list[pb.Cost] = []
    while True:
        page = await pricing.stub.ListCosts(request)
        sizes.append(len(page.costs))
        listed += page.costs
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert sizes == [2, 2, 1]
    assert listed == rows


async def test_a_token_of_another_history_is_refused_with_the_other_faults(pricing: Pricing) -> None:
    for number in range(2):
        await pricing.set(DIRECT_CUSTOMER, 800_000 + number)
    page = await pricing.stub.ListCosts(pb.ListCostsRequest(level=DIRECT_CUSTOMER, page_size=1))
    request = pb.ListCostsRequest(level=TUKUPAY, page_size=-1, page_token=page.next_page_token)
    error = await refusal_of(pricing.stub.ListCosts(request))
    assert {violation.field for violation in error.violations} == {"page_size", "page_token"}


@pytest.mark.parametrize("token", ["nonsense", "WzFd", "e30"])
async def test_a_made_up_token_is_refused(pricing: Pricing, token: str) -> None:
    request = pb.ListCostsRequest(level=TUKUPAY, page_token=token)
    error = await refusal_of(pricing.stub.ListCosts(request))
    assert [violation.field for violation in error.violations] == ["page_token"]
