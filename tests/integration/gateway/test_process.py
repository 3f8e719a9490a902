"""The gateway as a process: it starts, says why it cannot, and ends without cutting requests off."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.integration.gateway.conftest import Running
from tests.system.ports import free_port

ROOT = Path(__file__).parents[3]
DEADLINE_S = 30.0
SMS = {"userId": "u", "recipientPhoneNumber": "+254712345678", "message": "m", "senderId": "TUKUPAY"}


@asynccontextmanager
async def gateway_process(**settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway_http"),
        cwd=ROOT,
        env={**os.environ, "GATEWAY_HTTP_ADDRESS": "127.0.0.1:0", **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def listening_port(process: asyncio.subprocess.Process) -> int:
    assert process.stdout is not None
    async for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "gateway.listening":
            return int(event["port"])
    raise AssertionError("the gateway ended before it listened")


def core_limits(process_id: int) -> list[str]:
    """How large a core dump of a process may be: its soft and hard limit."""
    limits = Path(f"/proc/{process_id}/limits").read_text()
    (line,) = (line for line in limits.splitlines() if line.startswith("Max core file size"))
    return line.split()[4:6]


async def test_a_stopping_gateway_finishes_what_it_began_and_accepts_nothing_new(running: Running) -> None:
    running.messaging.held_back = {"slow"}
    async with gateway_process(
        GATEWAY_MESSAGING_ADDRESS=f"127.0.0.1:{running.messaging_server.port}",
        GATEWAY_PRICING_ADDRESS=f"127.0.0.1:{running.pricing_server.port}",
    ) as process:
        port = await listening_port(process)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_S) as http:
            slow = asyncio.create_task(http.post("/api/sms/send", json=SMS | {"userId": "slow"}))
            await running.messaging.batch_came.wait()
            process.send_signal(signal.SIGTERM)
            await refused(port)
            assert not slow.done()
            running.messaging.release.set()
            assert (await slow).status_code == 200
        assert await process.wait() == 0


async def test_a_send_that_outlasts_the_stop_is_told_that_its_outcome_is_open(running: Running) -> None:
    running.messaging.held_back = {"slow"}
    async with gateway_process(
        GATEWAY_MESSAGING_ADDRESS=f"127.0.0.1:{running.messaging_server.port}", GATEWAY_DRAIN_S="0.3"
    ) as process:
        port = await listening_port(process)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_S) as http:
            slow = asyncio.create_task(http.post("/api/sms/send", json=SMS | {"userId": "slow"}))
            await running.messaging.batch_came.wait()
            process.send_signal(signal.SIGTERM)
            response = await slow
        assert (response.status_code, response.json()["reason"]) == (503, "MESSAGING_INTERRUPTED")
        assert "the same messageId" in response.json()["detail"]
        assert await process.wait() == 0


async def refused(port: int) -> None:
    """Returns once nobody accepts connections any more."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            continue  # it was still in the backlog when the listener closed
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_a_taken_port_is_a_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with gateway_process(GATEWAY_HTTP_ADDRESS=address) as process:
            _, errors = await process.communicate()
        assert process.returncode == 1
        assert errors.decode().startswith(f"gateway_http: cannot listen on {address}: Address already in use")
        assert "Traceback" not in errors.decode()


async def test_wrong_settings_are_named_all_at_once() -> None:
    async with gateway_process(GATEWAY_HTTP_ADDRESS="0.0.0.0:80", GATEWAY_BATCH_MAX_ITEMS="many") as process:
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert "GATEWAY_HTTP_ADDRESS" in errors.decode()
    assert "GATEWAY_BATCH_MAX_ITEMS" in errors.decode()


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["-m gateway_http", "-m sms_cli serve gateway"])
async def test_a_gateway_without_standard_output_serves_and_logs_nowhere(command: str, closed: str) -> None:
    port = free_port()
    process = await asyncio.create_subprocess_shell(
        f"exec {shlex.quote(sys.executable)} {command} {closed}",
        cwd=ROOT,
        env={**os.environ, "GATEWAY_HTTP_ADDRESS": f"127.0.0.1:{port}"},
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            await accepted(port)
            for descriptor in range(3) if "2>&-" in closed else (1,):
                assert os.readlink(f"/proc/{process.pid}/fd/{descriptor}") == os.devnull  # noqa: PTH115 - of no file
            process.terminate()
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def accepted(port: int) -> None:
    """Returns once somebody accepts connections."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        await writer.wait_closed()
        return


async def test_what_is_in_memory_is_never_dumped(running: Running) -> None:
    async with gateway_process(
        GATEWAY_MESSAGING_ADDRESS=f"127.0.0.1:{running.messaging_server.port}",
        GATEWAY_PRICING_ADDRESS=f"127.0.0.1:{running.pricing_server.port}",
    ) as process:
        await listening_port(process)
        assert core_limits(process.pid) == ["0", "0"]
