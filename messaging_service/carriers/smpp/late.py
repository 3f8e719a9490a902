"""Tells of submits whose answers came after they were called unknown."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from messaging_service.carriers.carrier import LateOutcomeSink
from messaging_service.carriers.domain.submission import LateOutcome, Outcome
from messaging_service.carriers.smpp.binds.outstanding import Answered, Asked

log = structlog.get_logger()

MAX_WAITING: Final = 10_000
"""Outcomes held for the sink; further ones are dropped, and the messages end by receipt or window."""
SINK_TIMEOUT_S: Final = 660.0
"""The sink keeps outcomes for ten minutes while the database is away."""


class LateAnswers:
    """Hands late outcomes to the sink in the background; those that come while it works go together.

    `outcome_of` says what an answer means for the whole message.
    """

    def __init__(self, carrier: str, sink: LateOutcomeSink, outcome_of: Callable[[Asked, Answered], Outcome]) -> None:
        self._carrier = carrier
        self._sink = sink
        self._outcome_of = outcome_of
        self._waiting: deque[LateOutcome] = deque(maxlen=MAX_WAITING)
        self._work: asyncio.Task[None] | None = None

    def put(self, asked: Asked, answer: Answered) -> None:
        """Takes an answer."""
        self._waiting.append(LateOutcome(asked.message_id, asked.epoch, self._outcome_of(asked, answer)))
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._tell())
            self._work.add_done_callback(self._finished)

    async def drain(self, timeout_s: float) -> None:
        """Waits until all are reported, but no longer than that."""
        if self._work is not None:
            _, late = await asyncio.wait((self._work,), timeout=timeout_s)
            for task in late:
                task.cancel()

    async def _tell(self) -> None:
        while self._waiting:
            batch = list(self._waiting)
            self._waiting.clear()
            try:
                async with asyncio.timeout(SINK_TIMEOUT_S):
                    await self._sink(batch)
            except Exception as error:  # noqa: BLE001 - the messages then end by receipt or window
                log.warning(
                    "smpp.late_outcomes_not_recorded",
                    carrier=self._carrier,
                    count=len(batch),
                    error=type(error).__name__,
                )

    def _finished(self, _: asyncio.Task[None]) -> None:
        self._work = None
