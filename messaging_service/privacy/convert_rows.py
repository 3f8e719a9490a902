"""Puts rows that were stored in plain under keys, in small steps, while everything else goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from service_kit.duties.duty import Duty, DutyLog

STEP: Final = 500
"""Rows of one transaction: few enough that nobody waits for its locks."""
STEP_PAUSE_S: Final = 0.05
EVERY_S: Final = 60.0
DUTY: Final = "privacy_conversion"


@dataclass(frozen=True, slots=True)
class Converted:
    """What a step did."""

    rows: int
    """Put under keys."""
    more: bool
    """Whether rows are left to look at; False also while another process is at work on the table."""
    caught_up: bool
    """Whether every row there is was looked at once."""


class Conversion(Protocol):
    """The rows of one table."""

    @property
    def name(self) -> str:
        """Of the table, in metrics and on record."""
        ...

    async def step(self, limit: int) -> Converted:
        """Looks at the next rows in one transaction; what a crash undoes is done again by the next step.

        Raises ServiceError DATABASE_UNAVAILABLE or KEYS_UNAVAILABLE; then nothing was changed.
        """
        ...


class ConversionMeter(Protocol):
    """Called after each step."""

    def stepped(self, table: str, done: Converted) -> None:
        """A step of a table's conversion was made."""
        ...


class ConvertRows:
    """Goes through one table after another, and looks at new rows now and then."""

    def __init__(
        self, conversions: Sequence[Conversion], log: DutyLog, meter: ConversionMeter, *, every_s: float = EVERY_S
    ) -> None:
        self._conversions = conversions
        self._meter = meter
        self._duty = Duty(DUTY, self._step, log, every_s=every_s)

    async def run(self) -> None:
        """Runs until cancelled."""
        await self._duty.run()

    async def _step(self) -> float | None:
        more = False
        for conversion in self._conversions:
            done = await conversion.step(STEP)
            self._meter.stepped(conversion.name, done)
            more = more or done.more
        return STEP_PAUSE_S if more else None
