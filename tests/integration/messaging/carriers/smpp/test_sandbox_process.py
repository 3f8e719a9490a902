"""The sandbox as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.messaging.carriers.smpp.conftest import DEADLINE_S, Bound, Send
from tests.system.ports import free_port

MODULE = "sandbox_carriers.smpp"


async def start(**settings: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        MODULE,
        env={**os.environ, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def listening(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        while b"sandbox.listening" not in await process.stdout.readline():
            assert process.returncode is None


class Running:
    """A sandbox process and where it is."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    port, log = free_port(), tmp_path / "carrier.jsonl"
    process = await start(
        SANDBOX_SMPP_ADDRESS=f"127.0.0.1:{port}",
        SANDBOX_HTTP_ADDRESS="127.0.0.1:0",
        SANDBOX_LOG=str(log),
    )
    await listening(process)
    yield Running(process, port, log)
    if process.returncode is None:
        process.kill()
    await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it_cleanly(running: Running, bound: Bound, number: signal.Signals) -> None:
    await bound(running.port)
    running.process.send_signal(number)
    async with asyncio.timeout(DEADLINE_S):
        _, errors = await running.process.communicate()
    assert (running.process.returncode, errors) == (0, b"")


async def test_the_log_holds_every_accepted_submit_even_after_a_kill(
    running: Running, bound: Bound, send: Send
) -> None:
    carrier = await bound(running.port)
    outcomes = await asyncio.gather(*(send(carrier, "+254712345678", f"message {n}") for n in range(50)))
    await send(carrier, "+254700000001", "refused")
    await send(carrier, "+254712345678", "ж" * 100)
    running.process.kill()
    await running.process.wait()
    entries = [json.loads(line) for line in running.log.read_text().splitlines()]
    singles = [entry for entry in entries if entry["parts"] == 1]
    assert {entry["text"] for entry in singles} == {f"message {n}" for n in range(50)}
    assert {entry["id"] for entry in singles} == {
        message_id for outcome in outcomes for message_id in outcome.carrier_message_ids
    }
    assert [(entry["part"], entry["text"]) for entry in entries if entry["parts"] == 2] == [
        (1, "ж" * 67),
        (2, "ж" * 33),
    ]
    assert entries[0].keys() == {
        "at",
        "id",
        "systemId",
        "sender",
        "recipient",
        "text",
        "reference",
        "part",
        "parts",
        "behaviour",
    }


async def test_it_starts_nowhere_but_on_loopback() -> None:
    process = await start(SANDBOX_SMPP_ADDRESS="0.0.0.0:2775", SANDBOX_HTTP_ADDRESS="[::]:8090")
    async with asyncio.timeout(DEADLINE_S):
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"SANDBOX_SMPP_ADDRESS" in errors
    assert b"SANDBOX_HTTP_ADDRESS" in errors


async def test_a_taken_port_is_a_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = await start(SANDBOX_SMPP_ADDRESS=address, SANDBOX_HTTP_ADDRESS="127.0.0.1:0")
        async with asyncio.timeout(DEADLINE_S):
            _, errors = await process.communicate()
    assert process.returncode == 1
    assert f"cannot listen on {address}".encode() in errors
