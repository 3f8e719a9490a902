"""Takes what phones write, and keeps the suppression list up to it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from messaging_service.opt_outs.domain.inbound import InboundMessage
from messaging_service.opt_outs.inbound_inbox import InboundInbox, WorkedInbound
from messaging_service.opt_outs.suppression_store import Stopped, Suppressions
from service_kit.duties.duty import Duty, DutyLog
from service_kit.errors import ServiceError

T = TypeVar("T")

ENTRIES_AT_ONCE = 200
FORGOTTEN_AT_ONCE = 1_000
FORGET_EVERY_S = 60.0
STOP_WAIT_S = 0.2
"""How long a pass waits for acceptances that overlap with an entry, before the next pass looks again."""
IN_FLIGHT_POLL_S = 0.1
"""Pause while a message to somebody who opted out is in flight. Shorter than the pause before a message that the
carrier did not take is tried again (Attempts), so that it is found in the queue and cancelled there."""


class InboundLog(DutyLog, Protocol):
    """Where the processor reports what an operator should see."""

    def opted(self, worked: WorkedInbound) -> None:
        """Phones opted out or in."""
        ...

    def queued_stopped(self, messages: int) -> None:
        """Messages to phones that opted out were cancelled in the queue."""
        ...


class InboundProcessor:
    """Takes messages from carriers into the inbox, works it, and cancels what opt-outs stop."""

    def __init__(
        self,
        inbox: InboundInbox,
        suppressions: Suppressions,
        log: InboundLog,
        *,
        poll_s: float,
        max_batch: int = 100,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`poll_s`: longest time between two looks at the inbox, which other processes also fill."""
        self._inbox = inbox
        self._suppressions = suppressions
        self._log = log
        self._poll_s = poll_s
        self._max_batch = max_batch
        self._monotonic = monotonic
        self._limit = max_batch
        self._forget_at = 0.0
        self._duty = Duty("inbound", self._pass, log, every_s=poll_s)

    async def take(self, messages: Sequence[InboundMessage]) -> None:
        """Stores messages durably; the InboundSink of carriers."""
        await self._inbox.store(messages)
        self._duty.wake()

    def look_again(self) -> None:
        """Makes the next pass come at once."""
        self._duty.wake()

    async def run(self) -> None:
        """Runs until cancelled."""
        await self._duty.run()

    async def _pass(self) -> float | None:
        again = await self._work()
        stopped = await self._stop()
        await self._forget()
        if again:
            return 0
        in_flight = stopped is not None and not stopped.complete
        return min(IN_FLIGHT_POLL_S, self._poll_s) if in_flight else None

    async def _work(self) -> bool:
        """One pass over the inbox; whether to make the next at once."""
        limit, self._limit = self._limit, self._max_batch
        crashed: list[Exception] = []
        worked = await self._guarded("inbound", lambda: self._inbox.work(limit), crashed)
        if worked is not None:
            if worked.opted_out or worked.opted_in:
                self._log.opted(worked)
            return worked.looked_at == limit
        if not crashed:
            return False
        if limit > 1:
            # One message that cannot be worked must not hold up those behind it: find it.
            self._limit = 1
            return True
        await self._guarded("inbound", self._inbox.postpone_next, crashed)
        return False

    async def _stop(self) -> Stopped | None:
        stopped = await self._guarded(
            "opt_outs", lambda: self._suppressions.stop_pending(ENTRIES_AT_ONCE, STOP_WAIT_S), []
        )
        if stopped is not None and stopped.messages:
            self._log.queued_stopped(stopped.messages)
        return stopped

    async def _forget(self) -> None:
        if self._monotonic() < self._forget_at:
            return
        forgotten = await self._guarded("inbound_retention", lambda: self._inbox.forget(FORGOTTEN_AT_ONCE), [])
        if forgotten != FORGOTTEN_AT_ONCE:
            self._forget_at = self._monotonic() + FORGET_EVERY_S

    async def _guarded(self, duty: str, work: Callable[[], Awaitable[T]], crashed: list[Exception]) -> T | None:
        """The result of a duty; None when it failed, which is reported, and `crashed` holds what nobody foresaw."""
        try:
            return await work()
        except ServiceError as error:
            self._log.upkeep_failed(duty, error)
        except Exception as error:  # noqa: BLE001 - a duty that ends would take the whole service with it
            self._log.upkeep_crashed(duty, error)
            crashed.append(error)
        return None
