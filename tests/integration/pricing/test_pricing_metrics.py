"""What the pricing service exports moves with what it does."""

from __future__ import annotations

import pytest
from grpc import aio

from service_kit.settings import Address
from tests.conftest import FreshDatabase
from tests.integration.pricing.conftest import pricing_on
from tests.system.exposition import figures_at
from tests.system.ports import free_port
from tests.system.promql import Exported
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

pytestmark = pytest.mark.timeout(60)


async def test_calls_and_pools_are_shown(pricing_url: str) -> None:
    port = free_port()
    async with pricing_on(pricing_url, metrics_address=Address("127.0.0.1", port)) as pricing:
        await pricing.until_serving()
        await pricing.set(pb.COST_LEVEL_DIRECT_CUSTOMER, 600_000)
        await pricing.stub.ResolvePrice(pb.ResolvePriceRequest(customer_id="cust123"))
        with pytest.raises(aio.AioRpcError):
            await pricing.stub.ResolvePrice(pb.ResolvePriceRequest())
        watch = pricing.stub.WatchPrices(pb.WatchPricesRequest())
        await watch.read()
        figures = await figures_at(port)
        watch.cancel()
    calls = "tukupay_grpc_server_calls_total"
    assert figures(calls, method="PricingService/SetCost", code="OK") == 1
    assert figures(calls, method="PricingService/ResolvePrice", code="OK") == 1
    assert figures(calls, method="PricingService/ResolvePrice", code="INVALID_ARGUMENT") == 1
    assert figures("tukupay_grpc_server_call_seconds_count", method="PricingService/ResolvePrice") == 2
    assert figures("tukupay_database_pool_max_connections", pool="pricing") == 10
    # The customer's own tier, which has no row, and the default that prices the send.
    assert figures("tukupay_price_book_tiers") >= 2
    assert figures("tukupay_price_book_epoch") == 1
    assert figures("tukupay_price_book_staleness_seconds") < 10
    assert figures("tukupay_price_watchers") == 1
    assert figures("tukupay_price_look_failures_total") == 0
    assert figures("tukupay_serving") == 1
    assert figures.documented_wrongly("pricing") == []
    assert Exported([figures]).first_faults_unseen() == []


async def test_a_database_that_is_not_set_up_is_shown(fresh_database: FreshDatabase) -> None:
    port = free_port()
    async with pricing_on(fresh_database(), metrics_address=Address("127.0.0.1", port)) as pricing:
        with pytest.raises(aio.AioRpcError, match="tukupay-sms migrate"):
            await pricing.set(pb.COST_LEVEL_DIRECT_CUSTOMER, 600_000)
        figures = await figures_at(port)
    assert "tukupay_serving 0.0" in figures.text.splitlines()
