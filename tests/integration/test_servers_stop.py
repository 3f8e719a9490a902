"""A server that stops lets go of every connection, also of those that it was just about to accept."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import httpx
import pytest
from starlette.responses import PlainTextResponse

from sandbox_carriers.africastalking import AfricasTalkingSandbox
from sandbox_carriers.smpp import SandboxCarrier
from service_kit.settings import Address
from service_kit.web.http_server import HttpServer

TURNS = range(4)
"""How many turns of the loop lie between the clients' connections and the stop."""


@contextlib.contextmanager
def clients(port: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as open_sockets:
        # The kernel lets them connect before the server has accepted them.
        yield [open_sockets.enter_context(socket.create_connection(("127.0.0.1", port), 5)) for _ in range(20)]


def is_let_go(client: socket.socket) -> bool:
    client.settimeout(1)
    with contextlib.suppress(ConnectionResetError):
        return client.recv(1) == b""
    return True


@pytest.mark.parametrize("turns", TURNS)
async def test_africas_talking_keeps_no_connection_that_came_while_it_stopped(turns: int) -> None:
    sandbox = AfricasTalkingSandbox()
    await sandbox.start()
    with clients(sandbox.port) as connected:
        for _ in range(turns):
            await asyncio.sleep(0)
        await sandbox.stop()
        assert all(map(is_let_go, connected))
    assert not sandbox.links


@pytest.mark.parametrize("turns", TURNS)
async def test_the_operator_keeps_no_connection_that_came_while_it_stopped(turns: int) -> None:
    operator = SandboxCarrier(with_pages=False)
    await operator.start()
    with clients(operator.smpp_port) as connected:
        for _ in range(turns):
            await asyncio.sleep(0)
        await operator.stop()
        assert all(map(is_let_go, connected))
    assert not operator.links


@pytest.mark.parametrize("turns", TURNS)
async def test_an_http_server_keeps_no_connection_that_came_while_it_stopped(turns: int) -> None:
    server = HttpServer(Address("127.0.0.1", 0), PlainTextResponse("here"), drain_s=0)
    await server.start()
    with clients(server.port) as connected:
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(3):
            await server.stop()
        assert all(map(is_let_go, connected))


async def test_an_http_server_has_its_clients_leave_before_it_stops() -> None:
    server = HttpServer(Address("127.0.0.1", 0), PlainTextResponse("here"), drain_s=0)
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as http:
        assert "connection" not in (await http.get("/")).headers
        server.release()
        kept = await http.get("/")
        new = await http.get("/")
        assert [answer.headers["connection"] for answer in (kept, new)] == ["close", "close"]
    await server.stop()
