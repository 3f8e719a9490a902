"""Writes refused calls into the audit log, for as long as the process lives."""

from __future__ import annotations

from typing import Final

from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditRecord
from service_kit.audit.audit_store import AuditSink
from service_kit.audit.refused_calls import RefusedCalls, record_of
from service_kit.duties.duty import Duty, DutyLog

DUTY: Final = "refused_calls"
EVERY_S: Final = 1.0
MOST_KEPT: Final = 1_000
"""Entries that wait while nothing takes them; the oldest are dropped first."""


class RefusalDuty:
    """Takes what is due each second, and keeps it until it is written."""

    def __init__(self, calls: RefusedCalls, sink: AuditSink, log: DutyLog, *, every_s: float = EVERY_S) -> None:
        self._calls = calls
        self._sink = sink
        self._kept: list[tuple[Actor, AuditRecord]] = []
        self._duty = Duty(DUTY, self.write_once, log, every_s=every_s)

    async def run(self) -> None:
        """Runs until cancelled."""
        await self._duty.run()

    async def write_once(self) -> None:
        """Writes what is due, and what was not written before. Raises ServiceError while nothing takes them."""
        self._kept += [(actor, record_of(refusal, calls)) for actor, refusal, calls in self._calls.due()]
        del self._kept[:-MOST_KEPT]
        if self._kept:
            await self._sink.add(self._kept)
            self._kept.clear()
