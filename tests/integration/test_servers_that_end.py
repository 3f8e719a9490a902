"""gRPC servers that end while they are called: who has another one to turn to does not notice."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service_kit.channel import LASTING_OPTIONS
from service_kit.grpc_server import GrpcServer
from service_kit.settings import Address
from tests.unit.messaging.fakes import until

pytestmark = pytest.mark.timeout(120)

CALLERS = 40
PATIENCE_S = 2.0
"""More than the news takes on a machine that is busy with other things."""


async def started(port: int = 0) -> GrpcServer:
    server = GrpcServer(Address("127.0.0.1", port), [])
    await server.start()
    return server


async def replaced(server: GrpcServer) -> GrpcServer:
    """A new one in the place of one that was stopped, once callers know it."""
    new = await started(server.port)
    await until(lambda: new.is_watched)
    return new


class Callers:
    """Call all the time, and count what comes of it."""

    def __init__(self, *ports: int) -> None:
        addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
        self._channel = aio.insecure_channel(f"ipv4:{addresses}", options=LASTING_OPTIONS)
        self.codes: Counter[str] = Counter()
        self._calling = [asyncio.create_task(self._call()) for _ in range(CALLERS)]

    async def _call(self) -> None:
        stub = health_pb2_grpc.HealthStub(self._channel)
        while True:
            try:
                await stub.Check(health_pb2.HealthCheckRequest(), timeout=60)
                self.codes["OK"] += 1
            except aio.AioRpcError as error:
                self.codes[f"{error.code().name}: {error.details()}"] += 1

    async def some_more(self) -> None:
        """Returns when each caller could have called a few times again."""
        enough = self.codes.total() + 5 * CALLERS
        await until(lambda: self.codes.total() >= enough)

    async def stop(self) -> None:
        for calling in self._calling:
            calling.cancel()
        await asyncio.wait(self._calling)
        await self._channel.close()


async def test_servers_that_are_replaced_one_after_the_other_fail_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service_kit.grpc_server.NEWS_S", PATIENCE_S)
    servers = [await started(), await started()]
    callers = Callers(*(server.port for server in servers))
    try:
        for place, server in enumerate(servers):
            await callers.some_more()
            await server.stop(30)
            await callers.some_more()
            # The other one ends only after the callers have found the new one.
            servers[place] = await replaced(server)
    finally:
        await callers.stop()
        for server in servers:
            await server.stop(1)
    assert callers.codes.keys() == {"OK"}
