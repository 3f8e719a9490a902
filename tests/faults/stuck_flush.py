"""The real messaging service, whose database never answers what it is given to record as soon as a file is there.

FAULT_FILE is the file, FAULT_STUCK_S how long a flush may run, and FAULT_ENDING_S how long the service may take to end
beyond its drain time.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from messaging_service.sending import flush_health
from messaging_service.sending.outbox import Acceptance, Outbox
from messaging_service.wiring.bootstrap import serve
from messaging_service.wiring.seams import Seams
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from service_kit import process
from service_kit.process import run_service


class Stuck:
    """An outbox that waits for ever in the middle of recording."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outbox, name)

    async def accept(self, batch: Sequence[Acceptance]) -> Any:
        if Path(os.environ["FAULT_FILE"]).exists():  # noqa: ASYNC240 - another process makes it
            await asyncio.Event().wait()
        return await self._outbox.accept(batch)


async def serve_until_stuck(settings: MessagingSettings, stopping: asyncio.Event) -> None:
    """Serves like the real one, up to the file."""
    await serve(settings, stopping, Seams(outbox=lambda outbox: cast("Outbox", Stuck(outbox))))


if __name__ == "__main__":
    flush_health.STUCK_S = float(os.environ["FAULT_STUCK_S"])  # type: ignore[misc]  # final in the service itself
    process.ENDING_S = float(os.environ["FAULT_ENDING_S"])
    run_service("messaging", MessagingSettings, serve_until_stuck)
