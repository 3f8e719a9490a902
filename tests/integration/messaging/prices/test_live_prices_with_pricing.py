"""messaging_service with the real pricing_service: sends see its changes, and outlive its absence for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio

from pricing_service.adapters.migrate import migrate as migrate_pricing
from pricing_service.bootstrap import running as pricing_running
from pricing_service.settings import PricingSettings
from service_kit.grpc.channel import open_channel
from service_kit.grpc.grpc_errors import from_rpc_error
from service_kit.settings import Address
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.integration.messaging.running_service import DEADLINE_S, Running, refusal_of, service_on
from tests.system.ports import free_port
from tests.system.waiting import eventually
from tukupay.sms.messaging.v1 import messaging_pb2 as pb
from tukupay.sms.messaging.v1 import reports_pb2, reports_pb2_grpc
from tukupay.sms.pricing.v1 import pricing_pb2, pricing_pb2_grpc

SPECIFIC, DIRECT, APP_OWNER = (
    pricing_pb2.COST_LEVEL_SPECIFIC_CUSTOMER,
    pricing_pb2.COST_LEVEL_DIRECT_CUSTOMER,
    pricing_pb2.COST_LEVEL_APP_OWNER,
)
AWAY = "PRICING_UNAVAILABLE"
PATIENCE_S = 0.5
"""Of a service whose price book goes away."""
TIERS = [(SPECIFIC, "a"), (SPECIFIC, "b"), (APP_OWNER, "x"), (DIRECT, None)]
ASKERS = [(user, app) for user in "ab" for app in (None, "x", "y")]


T = TypeVar("T")


@dataclass
class Pricing:
    """A pricing service that comes and goes on one port."""

    url: str
    port: int = field(default_factory=free_port)
    _running: AsyncExitStack = field(default_factory=AsyncExitStack)
    stub: pricing_pb2_grpc.PricingServiceAsyncStub = field(init=False)

    async def start(self) -> None:
        address = Address("127.0.0.1", self.port)
        settings = PricingSettings(database_url=self.url, grpc_address=address, watch_interval_s=0.05, drain_s=0.0)
        await self._running.enter_async_context(pricing_running(settings))
        channel = await self._running.enter_async_context(open_channel(address))
        self.stub = pricing_pb2_grpc.PricingServiceStub(channel)

    async def stop(self) -> None:
        await self._running.aclose()

    async def set(self, level: Any, micros: int, entity: str | None = None, *, after_s: float = -60.0) -> str:
        """Records a price, in effect for a minute or in so many seconds; its id."""
        effective = Timestamp()
        effective.FromDatetime(datetime.now(UTC) + timedelta(seconds=after_s))
        request = pricing_pb2.SetCostRequest(
            level=level,
            price_micros=micros,
            reason="test",
            created_by="test",
            effective_from=effective,
            override_guards=True,
        )
        if entity is not None:
            setattr(request, "app_id" if level == APP_OWNER else "customer_id", entity)
        return (await self.stub.SetCost(request, wait_for_ready=True, timeout=DEADLINE_S)).cost.cost_id

    async def withdraw(self, cost_id: str) -> None:
        request = pricing_pb2.WithdrawCostRequest(cost_id=cost_id, withdrawn_by="test", reason="test")
        await self.stub.WithdrawCost(request)

    async def says(self, customer: str, app: str | None, at: datetime | None) -> int:
        """The price as the book answers it."""
        request = pricing_pb2.ResolvePriceRequest(customer_id=customer, app_id=app)
        if at is not None:
            request.at.FromDatetime(at)
        batch = pricing_pb2.BatchResolvePricesRequest(requests=[request])
        return (await self.stub.BatchResolvePrices(batch, wait_for_ready=True)).results[0].price.cost.price_micros


@pytest.fixture
async def pricing(database_template: DatabaseTemplate, fresh_database: FreshDatabase) -> AsyncIterator[Pricing]:
    """A pricing service with 0.8 KES for everybody."""
    made = Pricing(fresh_database(template=database_template("pricing_template", migrate_pricing)))
    await made.start()
    await made.set(DIRECT, 800_000)
    yield made
    await made.stop()


@asynccontextmanager
async def messaging_on(pricing: Pricing, url: str, **choices: Any) -> AsyncIterator[Running]:
    """A messaging service whose watch has opened."""
    address = Address("127.0.0.1", pricing.port)
    async with service_on(url, pricing_address=address, **{"price_heartbeat_s": 0.1, **choices}) as service:

        async def has_opened() -> int:
            return (await audit(service)).epoch

        await eventually("the watch has opened", has_opened)
        yield service


@pytest.fixture
async def service(pricing: Pricing, database_url: str) -> AsyncIterator[Running]:
    async with messaging_on(pricing, database_url) as running:
        yield running


async def quote(service: Running, user: str = "user123", app: str | None = None, at: datetime | None = None) -> int:
    """What a unit costs, as messaging has it."""
    request = pb.QuoteSmsRequest(user_id=user, message="Habari", app_id=app)
    if at is not None:
        request.scheduled_time.FromDatetime(at)
    return (await service.sms.QuoteSms(request)).unit_price_micros


async def shows(service: Running, micros: int, **asked: Any) -> float:
    """Seconds until a price shows; it may be that pricing has just come back and is not found yet."""
    begun = time.monotonic()

    async def is_shown() -> bool:
        return await outcome(quote(service, **asked)) == micros

    await eventually(f"a unit costs {micros} micros", is_shown)
    return time.monotonic() - begun


async def outcome(call: Awaitable[T]) -> T | str:
    """What a call gives, or that there is no price for want of pricing."""
    try:
        return await call
    except aio.AioRpcError as failure:
        error = from_rpc_error(failure)
        assert error is not None
        assert error.reason == AWAY
        return AWAY


async def audit(service: Running) -> reports_pb2.AuditPriceCopyResponse:
    stub = reports_pb2_grpc.ReportServiceStub(service.channel)
    return await stub.AuditPriceCopy(reports_pb2.AuditPriceCopyRequest())


async def test_a_change_is_charged_within_a_second(service: Running, pricing: Pricing) -> None:
    sent = (await service.send()).entry
    assert sent.unit_price_micros == 800_000
    for number in range(5):
        await pricing.set(SPECIFIC, 500_000 + number, "user123")
        assert await shows(service, 500_000 + number) < 1.0
    assert (await service.send()).entry.unit_price_micros == 500_004


async def test_a_price_takes_effect_when_it_said_it_would(service: Running, pricing: Pricing) -> None:
    assert await quote(service) == 800_000
    effective = datetime.now(UTC) + timedelta(seconds=1)
    await pricing.set(SPECIFIC, 500_000, "user123", after_s=1.0)
    await shows(service, 500_000, at=datetime.now(UTC) + timedelta(hours=1))
    await shows(service, 500_000)
    assert effective <= datetime.now(UTC) < effective + timedelta(seconds=1)


async def test_a_withdrawn_price_never_takes_effect(service: Running, pricing: Pricing) -> None:
    later = datetime.now(UTC) + timedelta(hours=2)
    assert await quote(service) == 800_000
    cost_id = await pricing.set(SPECIFIC, 500_000, "user123", after_s=3_600)
    await shows(service, 500_000, at=later)
    await pricing.withdraw(cost_id)
    assert await shows(service, 800_000, at=later) < 1.0


async def test_known_accounts_outlive_pricing_for_the_bound_and_then_nothing_is_sent(
    pricing: Pricing, database_url: str
) -> None:
    async with messaging_on(pricing, database_url, price_stale_s=2.0, pricing_timeout_s=PATIENCE_S) as service:
        assert (await service.send()).entry.status == pb.SMS_STATUS_SENT
        away_since = time.monotonic()
        await pricing.stop()
        assert (await service.send()).entry.status == pb.SMS_STATUS_SENT
        assert (await refusal_of(service.send(user_id="new"))).reason == "PRICING_UNAVAILABLE"
        sent = 2
        async with asyncio.timeout(DEADLINE_S):
            while await outcome(service.send()) != AWAY:
                sent += 1
        assert 1.5 < time.monotonic() - away_since < 5.0
        before = len(service.carrier.submissions)
        error = await refusal_of(service.send())
        assert error.reason == "PRICING_UNAVAILABLE"
        assert error.retry_after is not None
        assert len(service.carrier.submissions) == before == sent
        assert await service.money() == (-800_000 * sent, 0)
        await pricing.start()

        async def is_back() -> bool:
            return await outcome(service.send()) != AWAY

        await eventually("prices are back", is_back)


async def test_with_a_bound_of_zero_nothing_is_sent_without_pricing(pricing: Pricing, database_url: str) -> None:
    async with messaging_on(pricing, database_url, price_stale_s=0.0, pricing_timeout_s=PATIENCE_S) as service:
        assert (await service.send()).entry.status == pb.SMS_STATUS_SENT
        await pricing.stop()

        async def is_away() -> bool:
            return await outcome(quote(service)) == AWAY

        await eventually("prices are away", is_away)
        assert (await refusal_of(service.send())).reason == "PRICING_UNAVAILABLE"
        assert len(service.carrier.submissions) == 1


async def test_after_changes_breaks_and_restarts_the_copy_equals_the_book(service: Running, pricing: Pricing) -> None:
    micros = 100_000
    pending: list[str] = []
    for round_number in range(4):
        for number, (level, entity) in enumerate(TIERS * 2):
            micros += 1
            cost_id = await pricing.set(level, micros, entity, after_s=(-60.0, 0.0, 3_600.0)[number % 3])
            if number % 3 == 2:
                pending.append(cost_id)
            asked = asyncio.gather(*(quote(service, user, app) for user, app in ASKERS))
            if number == 3:
                await pricing.withdraw(pending.pop())
            await asked
        if round_number % 2:
            await pricing.stop()
            await pricing.start()
        for user, app in ASKERS:
            for at in (None, datetime.now(UTC) + timedelta(hours=2)):
                await shows(service, await pricing.says(user, app, at), user=user, app=app, at=at)
        async with asyncio.timeout(DEADLINE_S):
            while (found := await audit(service)).answers < len(ASKERS):
                await asyncio.gather(*(quote(service, user, app) for user, app in ASKERS))
        assert list(found.differing) == []
        assert found.copy_checksum == found.book_checksum


async def test_an_audit_compares_by_checksum_and_needs_pricing(service: Running, pricing: Pricing) -> None:
    assert [await quote(service), await quote(service, app="x")] == [800_000, 800_000]
    found = await audit(service)
    assert (found.answers, found.epoch, list(found.differing)) == (2, 1, [])
    assert len(found.copy_checksum) == 64
    assert found.copy_checksum == found.book_checksum
    await pricing.stop()
    assert (await refusal_of(audit(service))).reason == "PRICING_UNAVAILABLE"
