"""Pricing where access is required: who is let in, and what each may do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service_kit.access.principal import Principal, PrincipalKind
from service_kit.access.requirement import Access
from service_kit.errors import Kind
from service_kit.settings import SettingsError, load
from tests.integration.pricing.conftest import Pricing, pricing_on, refusal_of, timestamp
from tests.system.known_callers import KnownCallers, asserting
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

SHOP = Principal("tk_live_00000000", PrincipalKind.API_KEY, frozenset({"shop"}), frozenset({"prices:read"}))
SET = pb.SetCostRequest(
    level=pb.COST_LEVEL_TUKUPAY,
    price_micros=500_000,
    effective_from=timestamp("2024-12-13T00:00:00Z"),
    reason="agreed",
    created_by="admin123",
)
RESOLVE = pb.ResolvePriceRequest(customer_id="shop")


@pytest.fixture
def callers(tmp_path: Path) -> KnownCallers:
    return KnownCallers(tmp_path / "identities.toml")


@pytest.fixture
async def pricing(pricing_url: str, callers: KnownCallers) -> AsyncIterator[Pricing]:
    callers.add("first", "*")
    choices = {"access": Access.REQUIRED, "identities_file": callers.path}
    async with pricing_on(pricing_url, **choices) as service:
        await service.until_serving()
        yield service


async def test_nobody_is_let_in_without_a_credential(pricing: Pricing) -> None:
    assert (await refusal_of(pricing.stub.SetCost(SET))).kind is Kind.UNAUTHENTICATED
    assert (await refusal_of(pricing.stub.ResolvePrice(RESOLVE))).kind is Kind.UNAUTHENTICATED


async def test_a_caller_may_do_what_its_scopes_say(pricing_url: str, callers: KnownCallers) -> None:
    writer, reader = callers.add("writer", "prices:write"), callers.add("reader", "prices:read")
    gateway = callers.add("gateway", "assert:principal", kind="workload")
    async with pricing_on(pricing_url, access=Access.REQUIRED, identities_file=callers.path) as pricing:
        await pricing.until_serving()
        cost = (await pricing.stub.SetCost(SET, metadata=writer)).cost
        assert (await refusal_of(pricing.stub.SetCost(SET, metadata=reader))).metadata == {"scope": "prices:write"}
        answer = await pricing.stub.ResolvePrice(RESOLVE, metadata=reader)
        assert answer.cost.cost_id == cost.cost_id
        assert (await refusal_of(pricing.stub.ResolvePrice(RESOLVE, metadata=gateway))).kind is Kind.PERMISSION_DENIED
        shop = gateway + asserting(SHOP)
        assert (await pricing.stub.ResolvePrice(RESOLVE, metadata=shop)).cost.cost_id == cost.cost_id
        other = pb.ResolvePriceRequest(customer_id="other")
        assert (await refusal_of(pricing.stub.ResolvePrice(other, metadata=shop))).kind is Kind.PERMISSION_DENIED
        assert (await refusal_of(pricing.stub.ListCosts(pb.ListCostsRequest(), metadata=shop))).kind is (
            Kind.PERMISSION_DENIED
        )
        by_app = pb.ResolvePriceRequest(customer_id="shop", app_id="wallet")
        assert (await refusal_of(pricing.stub.ResolvePrice(by_app, metadata=shop))).kind is Kind.PERMISSION_DENIED
        assert (await pricing.stub.ResolvePrice(by_app, metadata=reader)).cost.cost_id == cost.cost_id
        foreign = await refusal_of(pricing.stub.ResolvePrice(RESOLVE, metadata=reader + asserting(SHOP)))
        assert foreign.metadata == {"scope": "assert:principal"}


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"PRICING_ACCESS": "required"}, "PRICING_IDENTITIES_FILE: is required"),
        ({"PRICING_IDENTITIES_FILE": "x.toml"}, "PRICING_ACCESS: is open"),
        ({"PRICING_ACCESS": "maybe"}, "'maybe' is neither open nor required"),
    ],
)
def test_settings_that_let_in_nobody_or_everybody_by_mistake_are_refused(
    variables: dict[str, str], problem: str
) -> None:
    from pricing_service.settings import PricingSettings

    with pytest.raises(SettingsError) as caught:
        load(PricingSettings, {"PRICING_DATABASE_URL": "postgresql:///x", **variables})
    assert problem in str(caught.value)
