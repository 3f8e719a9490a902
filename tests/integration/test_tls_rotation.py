"""Certificates change under calls, and no call notices.

TUKUPAY_LONG changes them 100 times under 100 calls a second.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio
from structlog.testing import capture_logs

from service_kit.grpc import renewed_channel
from service_kit.grpc.channel import open_channel
from service_kit.grpc.context import Context
from service_kit.grpc.server_credentials import server_credentials
from service_kit.settings import Address
from service_kit.tls.tls_settings import TlsFiles
from service_kit.tls.watched_tls import WatchedTls
from tests.system.certificates import GATEWAY, PRICING, Authority

IS_LONG = bool(os.environ.get("TUKUPAY_LONG"))
ROTATIONS = 100 if IS_LONG else 5
CALLS_A_SECOND = 100
CALLS_BETWEEN = 60 if IS_LONG else 10
CERTIFICATE = "x509_pem_cert"


class Echo:
    """Answers each call with the certificate of its caller; a stream with one each time it is asked to go on."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def once(self, _request: bytes, context: Context) -> bytes:
        await asyncio.sleep(0)
        return next(iter(context.auth_context()[CERTIFICATE]))

    async def until_told(self, _request: bytes, context: Context) -> AsyncIterator[bytes]:
        yield await self.once(b"", context)
        await self.go_on.wait()
        yield await self.once(b"", context)


def of_method(call: Any) -> Any:
    """A call by the name of a method, which takes and gives octets."""
    return call


class Rotating:
    """A server and a channel to it, both by files that are changed together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = Authority()
        ca = self._authority.write(folder)
        self.write()
        self.of_server = WatchedTls("server", TlsFiles(folder / "server.crt", folder / "server.key", ca))
        self.of_client = WatchedTls("client", TlsFiles(folder / "client.crt", folder / "client.key", ca))

    def write_authorities(self, *authorities: Authority) -> None:
        """Lets both sides know these authorities; the last of them signs from now on."""
        (self._folder / "ca.crt").write_bytes(b"".join(authority.pem for authority in authorities))
        self._authority = authorities[-1]

    @property
    def authority(self) -> Authority:
        """Who signs at present."""
        return self._authority

    async def look(self) -> None:
        """Both sides take what there is."""
        await self.of_server.look()
        await self.of_client.look()

    def write(self) -> None:
        """New certificates for both sides."""
        self._authority.sign(PRICING).write(self._folder, "server")
        self._authority.sign(GATEWAY).write(self._folder, "client")

    def write_foreign_client(self) -> None:
        """A pair for the client that the server does not take."""
        Authority("somebody else").sign(GATEWAY).write(self._folder, "client")

    async def rotate(self) -> None:
        """New certificates, taken by both sides."""
        self.write()
        await self.look()

    def client_pem(self) -> bytes:
        return (self._folder / "client.crt").read_bytes()


@pytest.fixture
async def echo() -> Echo:
    return Echo()


@pytest.fixture
def rotating(tmp_path: Path) -> Rotating:
    return Rotating(tmp_path)


@pytest.fixture
async def address(rotating: Rotating, echo: Echo) -> AsyncIterator[Address]:
    server = aio.server()
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Once": grpc.unary_unary_rpc_method_handler(echo.once),
        "UntilTold": grpc.unary_stream_rpc_method_handler(echo.until_told),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Echo", methods)])
    port = server.add_secure_port("127.0.0.1:0", server_credentials(rotating.of_server))
    await server.start()
    yield Address("127.0.0.1", port)
    await server.stop(0)


@pytest.fixture
async def channel(rotating: Rotating, address: Address) -> AsyncIterator[aio.Channel]:
    async with open_channel(address, tls=rotating.of_client) as opened:
        yield opened


@pytest.mark.timeout(300)
async def test_no_call_fails_while_certificates_change(rotating: Rotating, channel: aio.Channel) -> None:
    once = of_method(channel.unary_unary("/Echo/Once"))
    outcomes: Counter[str] = Counter()
    seen: set[bytes] = set()
    calls: set[asyncio.Task[None]] = set()

    async def call() -> None:
        try:
            seen.add(await once(b"", timeout=10))
            outcomes["OK"] += 1
        except aio.AioRpcError as error:
            outcomes[f"{error.code().name}: {error.details()}"] += 1

    async def load(count: int) -> None:
        for _ in range(count):
            task = asyncio.create_task(call())
            calls.add(task)
            task.add_done_callback(calls.discard)
            await asyncio.sleep(1 / CALLS_A_SECOND)

    begun = time.monotonic()
    await load(CALLS_BETWEEN)
    for _ in range(ROTATIONS):
        await rotating.rotate()
        await load(CALLS_BETWEEN)
    while rotating.client_pem() not in seen:
        await load(1)
    await asyncio.gather(*calls)
    if IS_LONG:
        seconds = time.monotonic() - begun
        print(f"\n{ROTATIONS} rotations, {len(seen)} of their certificates seen, in {seconds:.0f} s: {dict(outcomes)}")  # noqa: T201
    assert outcomes.keys() == {"OK"}
    assert len(seen) > ROTATIONS / 2


async def test_a_stream_goes_on_over_the_connection_that_it_began_on(
    rotating: Rotating, channel: aio.Channel, echo: Echo
) -> None:
    before = rotating.client_pem()
    stream = of_method(channel.unary_stream("/Echo/UntilTold"))(b"")
    assert await stream.read() == before
    await rotating.rotate()
    once = of_method(channel.unary_unary("/Echo/Once"))
    while await once(b"") != rotating.client_pem():
        pass
    echo.go_on.set()
    assert await stream.read() == before
    assert await stream.read() is aio.EOF


async def test_a_certificate_that_the_other_side_does_not_take_is_not_gone_over_to(
    rotating: Rotating, channel: aio.Channel
) -> None:
    before = rotating.client_pem()
    once = of_method(channel.unary_unary("/Echo/Once"))
    assert await once(b"") == before
    rotating.write_foreign_client()
    await rotating.of_client.look()
    for _ in range(20):
        assert await once(b"", timeout=10) == before
    rotating.write()
    await rotating.of_client.look()
    while await once(b"", timeout=10) == before:
        pass
    assert await once(b"", timeout=10) == rotating.client_pem()


async def test_an_authority_is_changed_in_three_steps_without_a_failed_call(
    rotating: Rotating, channel: aio.Channel, address: Address, tmp_path: Path
) -> None:
    once = of_method(channel.unary_unary("/Echo/Once"))
    old, new = rotating.authority, Authority("the new one")
    former = TlsFiles(*old.sign(GATEWAY).write(tmp_path, "former"), new.write(tmp_path, "new"))
    await once(b"", timeout=10)
    rotating.write_authorities(old, new)
    await rotating.look()
    await once(b"", timeout=10)
    await rotating.rotate()
    while await once(b"", timeout=10) != rotating.client_pem():
        pass
    rotating.write_authorities(new)
    await rotating.look()
    await once(b"", timeout=10)
    async with open_channel(address, tls=WatchedTls("former", former)) as refused:
        with pytest.raises(aio.AioRpcError) as caught:
            await of_method(refused.unary_unary("/Echo/Once"))(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_that_is_not_taken_is_logged_and_tried_again(
    rotating: Rotating, channel: aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewed_channel, "CONNECTED_WITHIN_S", 0.1)
    monkeypatch.setattr(renewed_channel, "AGAIN_S", 0.01)
    once = of_method(channel.unary_unary("/Echo/Once"))
    before = await once(b"", timeout=10)
    rotating.write_foreign_client()
    with capture_logs() as logs:
        await rotating.of_client.look()
        while sum(line["event"] == "tls.channel_not_renewed" for line in logs) < 2:
            assert await once(b"", timeout=10) == before
