"""Looks now and then at what waits, for operators."""

from __future__ import annotations

import asyncio
from typing import Final, Generic, NoReturn, Protocol, TypeVar

from messaging_service.use_cases.upkeep import UpkeepLog
from service_kit.errors import ServiceError

MOST_COUNTED: Final = 10_000
"""Rows of one kind are counted up to here, so that a look stays cheap whatever piles up."""

State = TypeVar("State")
Seen_co = TypeVar("Seen_co", covariant=True)
Shown_contra = TypeVar("Shown_contra", contravariant=True)


class View(Protocol[Seen_co]):
    """Where something can be looked at."""

    async def look(self) -> Seen_co:
        """How it stands now, for all processes. Raises ServiceError DATABASE_UNAVAILABLE."""
        ...


class LookMeter(Protocol[Shown_contra]):
    """Hears of the looks."""

    def looked(self, state: Shown_contra) -> None:
        """It was looked at."""
        ...


class Lookout(Generic[State]):
    """Looks every few seconds, and never because somebody asks."""

    def __init__(
        self, view: View[State], meter: LookMeter[State], log: UpkeepLog, *, duty: str, every_s: float
    ) -> None:
        """`duty`: its name in logs and metrics."""
        self._log = log
        self._view = view
        self._meter = meter
        self._duty = duty
        self._every_s = every_s

    async def run(self) -> NoReturn:
        """Runs until cancelled."""
        while True:
            try:
                self._meter.looked(await self._view.look())
            except ServiceError as error:
                self._log.upkeep_failed(self._duty, error.reason)
            except Exception as error:  # noqa: BLE001 - a duty that ends would take the whole service with it
                self._log.upkeep_crashed(self._duty, error)
            await asyncio.sleep(self._every_s)
