"""Looks now and then at what waits, for operators."""

from __future__ import annotations

from typing import Final, Generic, Protocol, TypeVar

from service_kit.duties.duty import Duty, DutyLog

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
    """Called after each look."""

    def looked(self, state: Shown_contra) -> None:
        """It was looked at."""
        ...


class GaugePoller(Generic[State]):
    """Looks every few seconds, and never because somebody asks."""

    def __init__(self, view: View[State], meter: LookMeter[State], log: DutyLog, *, duty: str, every_s: float) -> None:
        """`duty`: its name in logs and metrics."""
        self._view = view
        self._meter = meter
        self._duty = Duty(duty, self._look, log, every_s=every_s)

    async def run(self) -> None:
        """Runs until cancelled."""
        await self._duty.run()

    async def _look(self) -> None:
        self._meter.looked(await self._view.look())
