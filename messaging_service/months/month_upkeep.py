"""Keeps partitions ahead of time, and says how far they go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from messaging_service.months.domain.month_rules import AHEAD, horizon, kept_from
from service_kit.duties.duty import Duty, DutyLog

DUTY: Final = "months"
EVERY_S: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class TableMonths:
    """The months of one table."""

    ends: datetime
    """The first instant that has no partition, in UTC."""
    past: tuple[datetime, ...]
    """Where each of its partitions ends."""


class MonthStore(Protocol):
    """The partitions of a database."""

    async def months(self) -> Mapping[str, TableMonths]:
        """By table. Raises ServiceError DATABASE_UNAVAILABLE or DATABASE_NOT_READY."""
        ...

    async def add(self, table: str, ahead: int) -> bool:
        """Adds the next month of a table unless there are `ahead` months after this one; whether it did.

        False as well while another process adds one. Raises the same, and whatever else the database says.
        """
        ...


class MonthMeter(Protocol):
    """Where figures go."""

    def show(self, ahead: Mapping[str, int], overdue: int) -> None:
        """`ahead`: months after the present one that have a partition, by table. `overdue`: months to be removed."""
        ...


class MonthUpkeep:
    """Adds months as time goes on. A failure is counted as every duty's, and leaves the horizon as it is."""

    def __init__(
        self, store: MonthStore, meter: MonthMeter, log: DutyLog, *, now: Callable[[], datetime], keep: int
    ) -> None:
        """`keep`: whole months of messages that are kept; 0 for all."""
        self._store = store
        self._meter = meter
        self._now = now
        self._keep = keep
        self._duty = Duty(DUTY, self.look, log, every_s=EVERY_S)

    async def run(self) -> None:
        """Runs until cancelled."""
        await self._duty.run()

    async def look(self) -> None:
        """Adds what is missing. The figures are right also where that fails."""
        tables = await self._show()
        added = False
        for table in tables:
            while await self._store.add(table, AHEAD):
                added = True
        if added:
            await self._show()

    async def _show(self) -> Mapping[str, TableMonths]:
        tables, now = await self._store.months(), self._now()
        ended = tables["message"].past if self._keep and "message" in tables else ()
        overdue = sum(ends <= kept_from(now, self._keep) for ends in ended)
        self._meter.show({table: horizon(now, months.ends) for table, months in tables.items()}, overdue)
        return tables
