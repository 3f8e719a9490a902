"""Looks now and then at how much waits in the queue and in the inbox, for operators."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn, Protocol

from messaging_service.domain.states import Priority
from messaging_service.use_cases.upkeep import UpkeepLog
from service_kit.errors import ServiceError

DUTY: Final = "queue_look"
MOST_COUNTED: Final = 10_000
"""Rows of one kind are counted up to here, so that a look stays cheap whatever piles up."""


class Waiting(StrEnum):
    """Why a message is in the queue."""

    DUE = "due"
    """It should have gone: it waits for a free place, or for its next try."""
    SCHEDULED = "scheduled"
    """Its time has not come."""
    SUBMITTING = "submitting"
    """A process is sending it."""
    UNKNOWN = "unknown"
    """It may have been sent; a receipt or the end of its window decides."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """What waits, each number up to MOST_COUNTED."""

    messages: Mapping[tuple[Priority, Waiting], int]
    """Those that are absent are none."""
    oldest_due_s: Mapping[Priority, float]
    """For how long the oldest due message of a lane should have gone; absent when none is due."""
    receipts_new: int
    """Receipts that were not looked at yet."""
    receipts_unmatched: int
    """Receipts that were looked at, found no message, and will be looked at again."""
    receipts_orphaned: int
    """Receipts that never found a message and are not looked at any more."""


class QueueView(Protocol):
    """Where the queue can be looked at."""

    async def look(self) -> QueueState:
        """How it stands now, for all processes. Raises ServiceError DATABASE_UNAVAILABLE."""
        ...


class QueueMeter(Protocol):
    """Hears of the looks."""

    def looked(self, state: QueueState) -> None:
        """The queue was looked at."""
        ...


class QueueWatch:
    """Looks every few seconds, and never because somebody asks."""

    def __init__(self, view: QueueView, meter: QueueMeter, log: UpkeepLog, *, every_s: float) -> None:
        self._log = log
        self._view = view
        self._meter = meter
        self._every_s = every_s

    async def run(self) -> NoReturn:
        """Runs until cancelled."""
        while True:
            try:
                self._meter.looked(await self._view.look())
            except ServiceError as error:
                self._log.upkeep_failed(DUTY, error.reason)
            except Exception as error:  # noqa: BLE001 - a duty that ends would take the whole service with it
                self._log.upkeep_crashed(DUTY, error)
            await asyncio.sleep(self._every_s)
