"""Hundreds of connections that say too little, and one that says too much, in real time against a gateway process.

The long form of what `tests/integration/gateway/http_edge` holds with a clock of its own; `make faults` runs it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service_kit.web.http_connection import HEAD_TIMEOUT_S
from tests.system.ports import free_port
from tests.system.raw_http import raw_http

CONNECTIONS = int(os.environ.get("TUKUPAY_HTTP_CONNECTIONS", "0"))
"""That are silent, stop in the middle of a head, or drip."""
PROBES = 1_000
PROBE = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
UNNOTICED_S = 0.01
"""A p99 below this is taken for good whatever it was before: at that size it is the machine that is measured."""

pytestmark = [
    pytest.mark.skipif(not CONNECTIONS, reason="takes half a minute; set TUKUPAY_HTTP_CONNECTIONS=500"),
    pytest.mark.timeout(300),
]


@asynccontextmanager
async def gateway() -> AsyncIterator[int]:
    port = free_port()
    environment = {**os.environ, "GATEWAY_HTTP_ADDRESS": f"127.0.0.1:{port}"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway_http"), env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    async with raw_http(port):
                        break
                except ConnectionRefusedError:
                    await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def p99_s(port: int) -> float:
    """Of requests one after another on a connection that is kept."""
    took = []
    async with raw_http(port) as honest:
        for _ in range(PROBES):
            begun = time.perf_counter()
            await honest.send(PROBE)
            assert (await honest.answer()).status == 200
            took.append(time.perf_counter() - begun)
    return sorted(took)[PROBES * 99 // 100]


async def test_others_notice_nothing_of_connections_that_hold_the_gateway_up() -> None:
    async with gateway() as port:
        await p99_s(port)
        before = await p99_s(port)
        holding = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.holding_up", str(port), str(CONNECTIONS)),
            stdout=asyncio.subprocess.PIPE,
        )
        assert holding.stdout is not None
        assert json.loads(await holding.stdout.readline()) == {"there": CONNECTIONS}
        meanwhile = await p99_s(port)
        kept_s = json.loads(await holding.stdout.readline())["kept_s"]
        assert await holding.wait() == 0
    before_ms, meanwhile_ms = before * 1e3, meanwhile * 1e3
    sys.stdout.write(f"p99 {before_ms:.1f} ms before, {meanwhile_ms:.1f} ms meanwhile; kept at most {kept_s:.1f} s\n")
    assert meanwhile < max(2 * before, UNNOTICED_S)
    assert kept_s < HEAD_TIMEOUT_S + 10
