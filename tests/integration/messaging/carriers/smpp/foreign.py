"""The carrier of tests/peers, run by node."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

START_S = 20.0
EVENT_S = 10.0


class ForeignServer:
    """What it says happened, in order."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.events: list[dict[str, Any]] = []
        self._news = asyncio.Condition()

    def of(self, event: str) -> list[dict[str, Any]]:
        """All events of one kind so far."""
        return [entry for entry in self.events if entry["event"] == event]

    async def submits(self, count: int = 1) -> list[dict[str, Any]]:
        """What it read of the submits, once it told of so many."""
        await self.wait_for(lambda: len(self.of("submit_sm")) >= count)
        return self.of("submit_sm")

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Returns as soon as the condition holds."""
        async with asyncio.timeout(EVENT_S), self._news:
            await self._news.wait_for(condition)

    async def read(self, output: asyncio.StreamReader) -> None:
        """Reads what it prints, until it ends."""
        while line := await output.readline():
            async with self._news:
                self.events.append(json.loads(line))
                self._news.notify_all()


@asynccontextmanager
async def foreign_server(folder: Path, *tls: str) -> AsyncIterator[ForeignServer]:
    """The server, listening; with a key file and a certificate file it speaks TLS."""
    process = await asyncio.create_subprocess_exec(
        "node",
        "smpp_server.mjs",
        *tls,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "NODE_NO_WARNINGS": "1"},
    )
    assert process.stdout is not None
    reading: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(START_S):
            first = json.loads(await process.stdout.readline())
        server = ForeignServer(first["port"])
        reading = asyncio.create_task(server.read(process.stdout))
        yield server
    finally:
        process.kill()
        await process.wait()
        if reading is not None:
            await reading
