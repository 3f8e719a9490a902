"""Calls go to all servers behind a name, and to none that is about to end."""

from __future__ import annotations

import asyncio

from grpc_health.v1 import health_pb2, health_pb2_grpc

from pricing_service.transport.servicer import SERVICE_NAME
from service_kit.grpc.channel import open_channel
from service_kit.grpc.grpc_server import GrpcServer
from service_kit.grpc.leaving_servers import Elsewhere
from service_kit.settings import Address, target
from tests.system.name_server import NameServer
from tests.system.ports import free_port
from tests.system.waiting import eventually

HOSTS = ("127.0.0.2", "127.0.0.3")
SERVING = health_pb2.HealthCheckResponse.SERVING


async def test_a_server_that_is_about_to_end_gets_no_more_calls() -> None:
    port = free_port()
    staying, leaving = (GrpcServer(Address(host, port), [SERVICE_NAME]) for host in HOSTS)
    await asyncio.gather(staying.start(), leaving.start())
    await staying.set_serving(True)
    with NameServer(lambda _: HOSTS, free_port()) as names:
        async with open_channel(target(f"dns://127.0.0.1:{names.port}/replicas.test:{port}")) as channel:
            stub = health_pb2_grpc.HealthStub(channel)

            async def answers() -> list[bool]:
                """What the next calls were answered: each server says something else."""
                found = [await stub.Check(health_pb2.HealthCheckRequest(service=SERVICE_NAME)) for _ in range(4)]
                return [answer.status == SERVING for answer in found]

            async def both_answer() -> bool:
                return sum(await answers()) == 2

            async def one_answers() -> bool:
                return all(await answers())

            await eventually("both are called in turn", both_answer)
            async with asyncio.timeout(10):
                await asyncio.gather(leaving.leave(0.1), eventually("only one is called", one_answers))
            await leaving.stop(0)
            assert all(await answers())
    await staying.stop(0)


async def test_a_caller_that_knows_only_the_server_that_ends_waits_for_another() -> None:
    port, hosts = free_port(), [HOSTS[0]]
    leaving, new = (GrpcServer(Address(host, port), [SERVICE_NAME]) for host in HOSTS)
    await asyncio.gather(leaving.start(), new.start())
    await new.set_serving(True)
    with NameServer(lambda _: hosts, free_port()) as names:
        async with open_channel(target(f"dns://127.0.0.1:{names.port}/replicas.test:{port}")) as channel:
            stub, elsewhere = health_pb2_grpc.HealthStub(channel), Elsewhere()
            assert (await stub.Check(health_pb2.HealthCheckRequest(service=SERVICE_NAME))).status != SERVING
            hosts[:] = [HOSTS[1]]

            async def end() -> None:
                await leaving.leave(0.2)
                await leaving.stop(0)

            async def call() -> bool:
                answer = await elsewhere.answer(
                    lambda: stub.Check(health_pb2.HealthCheckRequest(service=SERVICE_NAME), timeout=20)
                )
                return bool(answer.status == SERVING)

            ending = asyncio.ensure_future(end())
            async with asyncio.timeout(20):
                # No call fails: the old server answers, or the new one does, or the call waits for it.
                await eventually("the new server answers", call)
                await ending
                assert await call()
    await new.stop(0)
