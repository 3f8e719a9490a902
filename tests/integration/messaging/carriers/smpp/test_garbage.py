"""Garbage on either side of a link ends the link at most, never the process."""

from __future__ import annotations

import asyncio
import random
import socket

import pytest

from messaging_service.carriers.domain.submission import OutcomeKind
from messaging_service.carriers.smpp.codec.pdu import Bind, bare, bind_request, with_body
from sandbox_carriers.smpp import SandboxCarrier
from tests.integration.messaging.carriers.smpp.conftest import DEADLINE_S, Bound, Send, SilentServer

PHONE = "+254712345678"
GARBAGE = [
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    bytes(16),
    b"\xff" * 64,
    (1 << 20).to_bytes(4, "big") + bytes(12),
]


@pytest.mark.parametrize("octets", GARBAGE)
async def test_garbage_from_a_carrier_ends_the_link_and_a_new_one_is_made(
    silent_server: SilentServer, bound: Bound, send: Send, octets: bytes
) -> None:
    carrier = await bound(silent_server.port)
    link = silent_server.links[0]
    submit = asyncio.create_task(send(carrier, PHONE))
    await link.receive(0x04)
    link.send(octets)
    assert (await submit).kind is OutcomeKind.UNKNOWN
    async with asyncio.timeout(DEADLINE_S):
        await link.lost
    assert await carrier.wait_until_up(DEADLINE_S)
    assert len(silent_server.links) == 2


@pytest.mark.parametrize("octets", GARBAGE)
async def test_garbage_from_a_client_ends_its_link_only(
    sandbox: SandboxCarrier, bound: Bound, send: Send, octets: bytes
) -> None:
    carrier = await bound()
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.smpp_port)
    writer.write(octets)
    async with asyncio.timeout(DEADLINE_S):
        await reader.read()
    writer.close()
    assert (await send(carrier, PHONE)).kind is OutcomeKind.ACCEPTED


async def test_well_framed_garbage_kills_neither_side(
    sandbox: SandboxCarrier, silent_server: SilentServer, bound: Bound, send: Send
) -> None:
    dice = random.Random(34)
    commands = [0x04, 0x05, 0x06, 0x09, 0x15, 0x103, 0x80000000, 0x80000004, 0x80000005, 0x80000015]
    pdus = [
        with_body(dice.choice(commands), dice.randrange(1 << 31), dice.randbytes(dice.randrange(120)))
        for _ in range(3_000)
    ]
    await bound(silent_server.port)
    for start in range(0, len(pdus), 100):
        link = await silent_server.next_bind()
        for pdu in pdus[start : start + 100]:
            link.send(pdu)
        link.send(bytes(16))
        async with asyncio.timeout(DEADLINE_S):
            await link.lost

        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.smpp_port)
        writer.write(bind_request(0x09, 1, Bind("fuzz", "", "", 0x34)))
        writer.write(b"".join(pdus[start : start + 100]) + bytes(16))
        async with asyncio.timeout(DEADLINE_S):
            while await reader.read(65_536):
                pass
        writer.close()
    assert (await send(await bound(), PHONE)).kind is OutcomeKind.ACCEPTED


async def test_a_submit_before_a_bind_is_refused(sandbox: SandboxCarrier) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.smpp_port)
    writer.write(bare(0x04, 5))
    async with asyncio.timeout(DEADLINE_S):
        answer = await reader.readexactly(16)
    assert answer == bare(0x80000004, 5, 0x04)
    writer.close()
    assert sandbox.stats()["submits"] == 0


async def test_a_carrier_that_does_not_read_is_dropped_and_what_never_left_was_not_taken(
    silent_server: SilentServer, bound: Bound, send: Send
) -> None:
    carrier = await bound(silent_server.port, window=20_000, response_timeout_s=0.5)
    link = silent_server.links[0]
    assert link._transport is not None
    link._transport.pause_reading()
    session = carrier._binds[0].session
    assert session is not None
    assert session._transport is not None
    client = session._transport.get_extra_info("socket")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    kinds: list[OutcomeKind] = []

    async def submit(n: int) -> None:
        kinds.append((await send(carrier, PHONE, f"{n} " * 30)).kind)

    async with asyncio.TaskGroup() as group:
        for n in range(8_000):
            group.create_task(submit(n))
            if n % 100 == 0:
                await asyncio.sleep(0)
    assert set(kinds) == {OutcomeKind.UNKNOWN, OutcomeKind.NOT_TAKEN}
