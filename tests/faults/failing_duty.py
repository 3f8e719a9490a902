"""The real messaging service, one of whose duties fails as soon as a file is there.

FAULT_DUTY names the duty, FAULT_FILE the file, FAULT_ENDING_S how long the service may take to end beyond its drain
time. FAULT_STUBBORN names another duty, whose cancellations are lost, as they are where a cancellation meets the very
moment at which what a task waits for is there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from messaging_service.wiring import bootstrap
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from service_kit import process
from service_kit.duties import keep_running as real
from service_kit.process import run_service


async def failing(work: Coroutine[Any, Any, object]) -> None:
    """Does the work until the file is there."""
    task = asyncio.ensure_future(work)
    while not Path(os.environ["FAULT_FILE"]).exists():  # noqa: ASYNC110, ASYNC240 - another process makes it
        await asyncio.sleep(0.02)
    task.cancel()
    raise RuntimeError("the duty cannot go on")


async def stubborn(work: Coroutine[Any, Any, object]) -> None:
    """Does the work, and goes on for ever after."""
    with suppress(asyncio.CancelledError):
        await work
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


def keep_running(name: str, work: Coroutine[Any, Any, object], *, may_end: bool = False) -> asyncio.Task[Any]:
    """As in the real service, but for the duties that are named."""
    if name == os.environ["FAULT_DUTY"]:
        work = failing(work)
    elif name == os.environ.get("FAULT_STUBBORN"):
        work = stubborn(work)
    return real.keep_running(name, work, may_end=may_end)


if __name__ == "__main__":
    bootstrap.keep_running = keep_running  # type: ignore[attr-defined]  # where the service looks it up
    process.ENDING_S = float(os.environ["FAULT_ENDING_S"])
    run_service("messaging", MessagingSettings, bootstrap.serve)
