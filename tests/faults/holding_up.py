"""Callers that hold an HTTP server up, in a process of their own: `python -m tests.faults.holding_up PORT COUNT`.

Tells when all connections are there, and in the end how many seconds each was kept, as lines of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from tests.system.raw_http import raw_http

PIECE = b"a" * 65_536


async def held(port: int, number: int, there: asyncio.Barrier) -> float:
    """A connection that says too little; how many seconds it was kept."""
    begun = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await there.wait()
    writer.write((b"", b"GET /healthz HTTP/1.1\r\nHo", b"GET /healthz HTTP/1.1\r\n")[number % 3])
    end = asyncio.ensure_future(reader.read())
    while not end.done():
        await asyncio.wait([end], timeout=2)
        if number % 3 == 2 and not end.done():
            writer.write(b"X: y\r\n")
    assert end.result()[:12] in {b"", b"HTTP/1.1 408"}
    writer.transport.abort()
    return time.perf_counter() - begun


async def endless(port: int, stopping: asyncio.Event) -> None:
    """One head without end after another."""
    while not stopping.is_set():
        async with raw_http(port) as client:
            await client.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: ")
            for _ in range(20):
                await client.send(PIECE)
                await asyncio.sleep(0.05)
            assert (await client.answer()).status == 431


async def hold_up(port: int, count: int) -> None:
    """Until the last connection was ended."""
    there = asyncio.Barrier(count + 1)
    holding = [asyncio.create_task(held(port, number, there)) for number in range(count)]
    await there.wait()
    # Not cancelled in the end: a wait with a deadline may lose that.
    stopping = asyncio.Event()
    flooding = asyncio.create_task(endless(port, stopping))
    sys.stdout.write(json.dumps({"there": count}) + "\n")
    sys.stdout.flush()
    kept = await asyncio.gather(*holding)
    stopping.set()
    await flooding
    sys.stdout.write(json.dumps({"kept_s": max(kept)}) + "\n")


if __name__ == "__main__":
    asyncio.run(hold_up(int(sys.argv[1]), int(sys.argv[2])))
