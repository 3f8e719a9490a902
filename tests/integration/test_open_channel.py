"""Channels to services that are slow to answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from service_kit.grpc.channel import open_channel
from service_kit.grpc.grpc_server import LIVE
from service_kit.settings import Address

SLOW_S = 0.4


@asynccontextmanager
async def slow_to_connect(port: int) -> AsyncIterator[int]:
    """Another port of the same server, where a new connection is taken at once and served later."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(65_536):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(SLOW_S)
        onward, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, back), pump(onward, writer))

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_service_that_is_slow_to_take_a_connection_is_waited_for() -> None:
    server, servicer = aio.server(), health.aio.HealthServicer()
    await servicer.set(LIVE, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with slow_to_connect(port) as slow_port, open_channel(Address("127.0.0.1", slow_port)) as channel:
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
    finally:
        await server.stop(None)
