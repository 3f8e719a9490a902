"""gRPC over TLS: who is let in, and who is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from service_kit.access.identities import read_identities
from service_kit.grpc.access_control import Authenticator, open_to_all
from service_kit.grpc.authentication import Authentication
from service_kit.grpc.channel import open_channel
from service_kit.grpc.grpc_server import LIVE, GrpcServer
from service_kit.settings import Address
from service_kit.tls.tls_settings import TlsFiles
from service_kit.tls.watched_tls import WatchedTls
from tests.system.certificates import GATEWAY, PRICING, Authority, Certificate

ASKED = health_pb2.HealthCheckRequest(service=LIVE)


class Workplace:
    """An authority and a folder of files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.authority = Authority()
        self.ca = self.authority.write(folder)

    def server(self, certificate: Certificate | None = None) -> WatchedTls:
        chain, key = (certificate or self.authority.sign(PRICING)).write(self._folder, "server")
        return WatchedTls("server", TlsFiles(chain, key, self.ca))

    def client(self, certificate: Certificate | None, ca: Path | None = None) -> WatchedTls:
        chain, key = (None, None) if certificate is None else certificate.write(self._folder, "client")
        return WatchedTls("client", TlsFiles(chain, key, ca or self.ca))


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@asynccontextmanager
async def serving(tls: WatchedTls | None, authenticate: Authenticator = open_to_all) -> AsyncIterator[Address]:
    server = GrpcServer(Address("127.0.0.1", 0), (), tls=tls, authenticate=authenticate)
    await server.start()
    try:
        yield Address("127.0.0.1", server.port)
    finally:
        await server.stop(0)


async def check(channel: aio.Channel) -> int:
    answer = await health_pb2_grpc.HealthStub(channel).Check(ASKED, timeout=10)
    return int(answer.status)


async def refused(channel: aio.Channel) -> str:
    """What a caller learns that is not let in."""
    with pytest.raises(aio.AioRpcError) as caught:
        await check(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    return caught.value.details() or ""


async def test_a_caller_with_a_certificate_of_the_authority_is_let_in(workplace: Workplace) -> None:
    tls = workplace.client(workplace.authority.sign(GATEWAY))
    async with serving(workplace.server()) as address, open_channel(address, tls=tls) as channel:
        assert await check(channel) == health_pb2.HealthCheckResponse.SERVING


async def test_a_caller_without_a_certificate_is_refused(workplace: Workplace) -> None:
    async with serving(workplace.server()) as address, open_channel(address, tls=workplace.client(None)) as channel:
        await refused(channel)


async def test_a_caller_of_a_foreign_authority_is_refused(workplace: Workplace) -> None:
    tls = workplace.client(Authority("somebody else").sign(GATEWAY))
    async with serving(workplace.server()) as address, open_channel(address, tls=tls) as channel:
        await refused(channel)


async def test_a_caller_whose_certificate_has_ended_is_refused(workplace: Workplace) -> None:
    tls = workplace.client(workplace.authority.sign(GATEWAY, ended_days=1))
    async with serving(workplace.server()) as address, open_channel(address, tls=tls) as channel:
        await refused(channel)


async def test_plaintext_to_a_port_of_tls_is_refused(workplace: Workplace) -> None:
    async with serving(workplace.server()) as address, open_channel(address) as channel:
        await refused(channel)


async def test_a_server_of_a_foreign_authority_is_not_called(workplace: Workplace, tmp_path: Path) -> None:
    foreign = Authority("somebody else").write(tmp_path, "foreign")
    tls = workplace.client(workplace.authority.sign(GATEWAY), foreign)
    async with serving(workplace.server()) as address, open_channel(address, tls=tls) as channel:
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(channel)


async def test_a_server_of_another_name_is_not_called(workplace: Workplace) -> None:
    elsewhere = workplace.authority.sign(PRICING, ["pricing.example", "192.0.2.1"])
    tls = workplace.client(workplace.authority.sign(GATEWAY))
    async with serving(workplace.server(elsewhere)) as address, open_channel(address, tls=tls) as channel:
        await refused(channel)


async def test_a_server_whose_certificate_has_ended_is_not_called(workplace: Workplace) -> None:
    ended = workplace.server(workplace.authority.sign(PRICING, ended_days=1))
    tls = workplace.client(workplace.authority.sign(GATEWAY))
    async with serving(ended) as address, open_channel(address, tls=tls) as channel:
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(channel)


async def test_tls_to_a_port_of_plaintext_is_refused(workplace: Workplace) -> None:
    tls = workplace.client(workplace.authority.sign(GATEWAY))
    async with serving(None) as address, open_channel(address, tls=tls) as channel:
        await refused(channel)


IDENTITIES = f"""
[[identity]]
name = "gateway"
kind = "workload"
uri = "{GATEWAY}"
scopes = ["*"]
accounts = "all"
"""


async def inspected_by(workplace: Workplace, certificate: Certificate) -> grpc.StatusCode:
    """How the list of methods is answered, which is for callers with a scope."""
    known = read_identities(IDENTITIES)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async with (
        serving(workplace.server(), Authentication(lambda: known)) as address,
        open_channel(address, tls=workplace.client(certificate)) as channel,
    ):
        calls = reflection_pb2_grpc.ServerReflectionStub(channel)
        try:
            async for _ in calls.ServerReflectionInfo(iter([request]), timeout=10):
                pass
        except aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


async def test_a_caller_is_known_by_the_uri_in_its_certificate(workplace: Workplace) -> None:
    assert await inspected_by(workplace, workplace.authority.sign(GATEWAY)) is grpc.StatusCode.OK


@pytest.mark.parametrize("uri", [PRICING, GATEWAY + "/other", "spiffe://elsewhere/ns/sms/sa/gateway", None])
async def test_a_caller_whose_certificate_has_another_uri_is_nobody(workplace: Workplace, uri: str | None) -> None:
    assert await inspected_by(workplace, workplace.authority.sign(uri)) is grpc.StatusCode.UNAUTHENTICATED


async def test_a_dns_name_that_is_written_like_a_uri_is_none(workplace: Workplace) -> None:
    certificate = workplace.authority.sign(None, [GATEWAY])
    assert await inspected_by(workplace, certificate) is grpc.StatusCode.UNAUTHENTICATED
