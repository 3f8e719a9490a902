"""When prices changed, for many levels and entities at once."""

from __future__ import annotations

from typing import Any

import pytest

from pricing_service.use_cases import list_instants
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


async def instants(pricing: Pricing, *tiers: pb.CostTier) -> list[pb.TierInstants]:
    request = pb.BatchListChangeInstantsRequest(tiers=tiers)
    return list((await pricing.stub.BatchListChangeInstants(request)).tiers)


async def test_every_row_has_its_instants_and_a_withdrawn_one_a_third(pricing: Pricing) -> None:
    planned = timestamp("2027-09-01T00:00:00Z")
    first = await pricing.set(SPECIFIC_CUSTOMER, 700_000, customer_id="amina")
    later = await pricing.set(SPECIFIC_CUSTOMER, 800_000, customer_id="amina", effective_from=planned)
    request = pb.WithdrawCostRequest(cost_id=later.cost_id, withdrawn_by="user456", reason="agreed otherwise")
    withdrawn = (await pricing.stub.WithdrawCost(request)).cost
    await pricing.set(DIRECT_CUSTOMER, 900_000)
    amina, shop, default = await instants(
        pricing,
        pb.CostTier(level=SPECIFIC_CUSTOMER, customer_id="amina"),
        pb.CostTier(level=APP_OWNER, app_id="shop"),
        pb.CostTier(level=DIRECT_CUSTOMER),
    )
    told = sorted(amina.rows, key=lambda row: row.effective_from.ToNanoseconds())
    assert told == [
        pb.CostInstants(effective_from=first.effective_from, recorded_time=first.recorded_time),
        pb.CostInstants(
            effective_from=planned,
            recorded_time=later.recorded_time,
            withdrawn_time=withdrawn.withdrawal.withdrawn_time,
        ),
    ]
    assert (len(shop.rows), len(default.rows)) == (0, 1)
    assert not any(tier.incomplete for tier in (amina, shop, default))


async def test_a_tier_with_too_many_rows_says_so_and_the_others_are_answered(
    pricing: Pricing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_instants, "MAX_OF_TIER", 2)
    for micros in (700_000, 700_001, 700_002):
        await pricing.set(DIRECT_CUSTOMER, micros)
    await pricing.set(TUKUPAY, 900_000)
    asked = (pb.CostTier(level=DIRECT_CUSTOMER), pb.CostTier(level=TUKUPAY))
    assert [(len(tier.rows), tier.incomplete) for tier in await instants(pricing, *asked)] == [(0, True), (1, False)]
    monkeypatch.setattr(list_instants, "MAX_ROWS", 3)
    monkeypatch.setattr(list_instants, "MAX_OF_TIER", 1_000)
    assert [(len(tier.rows), tier.incomplete) for tier in await instants(pricing, *asked)] == [(3, False), (0, True)]


@pytest.mark.parametrize(
    ("tiers", "fields"),
    [
        ([], ["tiers"]),
        ([{"level": TUKUPAY}] * 1_001, ["tiers"]),
        ([{"level": TUKUPAY}, {"level": SPECIFIC_CUSTOMER}, {}], ["tiers[1].customer_id", "tiers[2].level"]),
    ],
)
async def test_requests_at_fault_name_the_field(
    pricing: Pricing, tiers: list[dict[str, Any]], fields: list[str]
) -> None:
    request = pb.BatchListChangeInstantsRequest(tiers=[pb.CostTier(**tier) for tier in tiers])
    error = await refusal_of(pricing.stub.BatchListChangeInstants(request))
    assert error.kind is Kind.INVALID
    assert [violation.field for violation in error.violations] == fields
