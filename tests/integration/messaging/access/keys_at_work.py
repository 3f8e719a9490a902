"""Replicas of the service on one database, with a clock that tests move, and keys that are shown to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from grpc import aio

from messaging_service.wiring.bootstrap import running
from messaging_service.wiring.seams import Seams
from service_kit.access.api_key import parse
from service_kit.grpc.channel import open_channel
from service_kit.settings import Address
from tests.doubles.scripted_carrier import ScriptedCarrier
from tests.system.messaging_settings import messaging_settings
from tukupay.sms.common.v1 import access_pb2 as common
from tukupay.sms.messaging.v1 import access_pb2 as pb
from tukupay.sms.messaging.v1 import access_pb2_grpc

START = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)


@dataclass
class Clock:
    """Stands still until a test moves it."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Replica:
    """One process of messaging."""

    keys: access_pb2_grpc.AccessServiceAsyncStub
    channel: aio.Channel


@dataclass
class Platform:
    """Replicas on one database."""

    replicas: list[Replica]
    clock: Clock = field(default_factory=Clock)

    @property
    def keys(self) -> access_pb2_grpc.AccessServiceAsyncStub:
        return self.replicas[0].keys

    async def make(self, **fields: Any) -> pb.CreateKeyResponse:
        return await self.keys.CreateKey(pb.CreateKeyRequest(terms=terms(**fields)))

    async def resolve(self, secret: str, replica: int = 0) -> pb.ResolveKeyResponse:
        return await self.replicas[replica].keys.ResolveKey(shown(secret))


def terms(**fields: Any) -> pb.KeyTerms:
    """Terms without a fault."""
    given: dict[str, Any] = {
        "name": "the shop's server",
        "mode": common.ACCESS_MODE_LIVE,
        "accounts": ["shop"],
        "scopes": ["sms:send", "sms:read"],
    }
    return pb.KeyTerms(**(given | fields))


def shown(secret: str) -> pb.ResolveKeyRequest:
    """A key as a gateway asks for it."""
    key = parse(secret)
    return pb.ResolveKeyRequest(key_id=key.id, secret_sha256=key.digest)


@asynccontextmanager
async def platform_on(url: str, replicas: int = 1) -> AsyncIterator[Platform]:
    """Replicas without carriers and prices."""
    clock = Clock()
    async with AsyncExitStack() as stack:
        started = [await stack.enter_async_context(_replica(url, clock)) for _ in range(replicas)]
        yield Platform(started, clock)


@asynccontextmanager
async def _replica(url: str, clock: Clock) -> AsyncIterator[Replica]:
    settings = messaging_settings(
        database_url=url,
        smpp_host="127.0.0.1",
        smpp_port=2775,
        smpp_system_id="unused",
        smpp_password="unused",
        grpc_address=Address("127.0.0.1", 0),
        pricing_address=Address("127.0.0.1", 1),
        drain_s=5.0,
    )
    seams = Seams(carrier=lambda _spec, _sinks, _leases: ScriptedCarrier(10), now=clock)
    async with running(settings, seams) as server, open_channel(Address("127.0.0.1", server.port)) as channel:
        yield Replica(access_pb2_grpc.AccessServiceStub(channel), channel)
