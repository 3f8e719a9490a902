"""Pricing services on real databases and ports, and what tests say to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from pricing_service.adapters.migrate import migrate
from pricing_service.bootstrap import running
from pricing_service.settings import PricingSettings
from pricing_service.transport.servicer import SERVICE_NAME
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.errors import ServiceError
from service_kit.grpc.channel import open_channel
from service_kit.grpc.grpc_errors import from_rpc_error
from service_kit.settings import Address
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.system.pricing_database import empty_pricing
from tukupay.sms.pricing.v1 import pricing_pb2 as pb
from tukupay.sms.pricing.v1 import pricing_pb2_grpc

DEADLINE_S = 20.0

TUKUPAY = pb.COST_LEVEL_TUKUPAY
APP_OWNER = pb.COST_LEVEL_APP_OWNER
SPECIFIC_CUSTOMER = pb.COST_LEVEL_SPECIFIC_CUSTOMER
DIRECT_CUSTOMER = pb.COST_LEVEL_DIRECT_CUSTOMER


def timestamp(text: str) -> Timestamp:
    """The wire form of an RFC 3339 instant."""
    message = Timestamp()
    message.FromDatetime(datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None))
    return message


@dataclass(frozen=True)
class Pricing:
    """A client of one running pricing service."""

    channel: aio.Channel
    stub: pricing_pb2_grpc.PricingServiceAsyncStub

    async def set(self, level: pb.CostLevel.ValueType, price_micros: int, **fields: Any) -> pb.Cost:
        """Records a price, in effect since 2024-12-13 unless told otherwise."""
        request: dict[str, Any] = {
            "effective_from": timestamp("2024-12-13T00:00:00Z"),
            "reason": "agreed",
            "created_by": "admin123",
        }
        answer = await self.stub.SetCost(
            pb.SetCostRequest(level=level, price_micros=price_micros, **(request | fields))
        )
        return answer.cost

    async def health(self, wanted: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        """Returns when the service reports the wanted health."""
        call = health_pb2_grpc.HealthStub(self.channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE_NAME))
        try:
            async with asyncio.timeout(DEADLINE_S):
                async for report in call:
                    if report.status == wanted:
                        return
        finally:
            # A stream left open would hold up the end of the service.
            call.cancel()

    async def until_serving(self) -> None:
        """Returns when the service says that it takes calls."""
        await self.health(health_pb2.HealthCheckResponse.SERVING)

    async def until_not_serving(self) -> None:
        """Returns when the service says that it takes no calls."""
        await self.health(health_pb2.HealthCheckResponse.NOT_SERVING)


@asynccontextmanager
async def client_of(port: int) -> AsyncIterator[Pricing]:
    """A client of a service on a port of this machine."""
    async with open_channel(Address("127.0.0.1", port)) as channel:
        yield Pricing(channel, pricing_pb2_grpc.PricingServiceStub(channel))


@asynccontextmanager
async def pricing_on(url: str, **choices: Any) -> AsyncIterator[Pricing]:
    """A pricing service in this process, on a free port."""
    settings = PricingSettings(database_url=url, grpc_address=Address("127.0.0.1", 0), **choices)
    async with running(settings) as server, client_of(server.port) as pricing:
        yield pricing


async def refusal_of(call: Any) -> ServiceError:
    """The failure that a call ends with; the call must fail, and say why in the agreed form."""
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    error = from_rpc_error(caught.value)
    assert error is not None, f"{caught.value.code()}: {caught.value.details()}"
    assert caught.value.code() is not grpc.StatusCode.INTERNAL
    return error


@pytest.fixture
def pricing_url(postgres_server: EmbeddedPostgres, database_template: DatabaseTemplate) -> str:
    """A migrated, empty pricing database."""
    return empty_pricing(postgres_server, database_template)


@pytest.fixture
def new_pricing_url(database_template: DatabaseTemplate, fresh_database: FreshDatabase) -> str:
    """The same, for tests that change more than its rows."""
    return fresh_database(template=database_template("pricing_template", migrate))


@pytest.fixture
async def pricing(pricing_url: str) -> AsyncIterator[Pricing]:
    """A pricing service that takes calls, on an empty database."""
    async with pricing_on(pricing_url) as service:
        await service.until_serving()
        yield service
