"""The two duties behind endpoints: fan-out, which records what to send, and delivery, which sends it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Final

from messaging_service.notices.delivery_ports import (
    DeliveryAttempt,
    DeliveryBatch,
    DeliveryQueue,
    EventFanOut,
    Sender,
)
from messaging_service.notices.notice_meters import DeliveryMeter
from service_kit.duties.duty import Duty, DutyLog
from service_kit.errors import ServiceError

EVENTS_AT_ONCE: Final = 5_000
"""Events of one pass. Each pass looks through everything since the last, so fewer passes are better."""
STEP: Final = 1_000
"""Deliveries that are given up or deleted in one transaction."""
TIDY_EVERY_S: Final = 60.0
FAN_OUT: Final = "webhook_telling"
DELIVERIES: Final = "webhook_deliveries"
"""The names of the duties in logs and metrics."""


class FanOutEvents:
    """Records deliveries of new events at an interval; one process at a time does."""

    def __init__(
        self,
        events: EventFanOut,
        delivering: DeliverEvents,
        log: DutyLog,
        meter: DeliveryMeter,
        *,
        every_s: float,
        keep_s: float,
    ) -> None:
        """`delivering`: woken when there is something to send. `keep_s`: how long deliveries that ended are kept."""
        self._events = events
        self._delivering = delivering
        self._meter = meter
        self._keep_s = keep_s
        self._tidy_at = 0.0
        self._duty = Duty(FAN_OUT, self._pass, log, every_s=every_s)

    async def run(self) -> None:
        """Runs until cancelled."""
        self._tidy_at = asyncio.get_running_loop().time() + TIDY_EVERY_S
        await self._duty.run()

    async def _pass(self) -> float | None:
        try:
            more = await self._fan_out()
        finally:
            # Also while fan-out fails: what piles up must still be given up and deleted.
            now = asyncio.get_running_loop().time()
            if now >= self._tidy_at:
                self._tidy_at = now + TIDY_EVERY_S
                if await self.tidy():
                    self._tidy_at = now
        return 0 if more else None

    async def _fan_out(self) -> bool:
        result = await self._events.fan_out(EVENTS_AT_ONCE)
        self._meter.fanned_out(result.events, result.deliveries)
        if result.deliveries:
            self._delivering.wake()
        return result.more

    async def tidy(self) -> bool:
        """Fails deliveries whose time is over and deletes those that ended long ago; whether there may be more."""
        given_up = await self._events.give_up(STEP)
        self._meter.given_up(given_up)
        forgotten = await self._events.forget(self._keep_s, STEP)
        return STEP in (given_up, forgotten)


class DeliverEvents:
    """Sends deliveries: to many endpoints at a time, to each of them by one batch after another."""

    def __init__(
        self,
        queue: DeliveryQueue,
        sender: Sender,
        log: DutyLog,
        meter: DeliveryMeter,
        *,
        poll_s: float,
        at_once: int,
        duty: str = DELIVERIES,
    ) -> None:
        """`at_once`: most endpoints that are sent to at a time. `duty`: its name in logs and metrics."""
        self._queue = queue
        self._sender = sender
        self._log = log
        self._meter = meter
        self._at_once = at_once
        self._name = duty
        self._duty = Duty(duty, self._start_batches, log, every_s=poll_s)
        self._batches: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Looks at the queue at once."""
        self._duty.wake()

    async def run(self) -> None:
        """Runs until cancelled; then still records what was sent."""
        try:
            await self._duty.run()
        finally:
            for batch in self._batches:
                batch.cancel()
            await asyncio.gather(*self._batches, return_exceptions=True)

    async def _start_batches(self) -> None:
        free = self._at_once - len(self._batches)
        if free <= 0:
            return
        for batch in await self._queue.take(free):
            task = asyncio.create_task(self._send(batch))
            self._batches.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        # Its endpoint may have more, and another one may have its turn.
        self._duty.wake()

    async def _send(self, batch: DeliveryBatch) -> None:
        attempts: list[DeliveryAttempt] = []
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            async with aclosing(self._sender.post(batch)) as ended:
                async for attempt in ended:
                    # One by one, so that none is lost when the process ends in the middle.
                    attempts.append(attempt)
                    self._meter.tried(attempt.answer.error, clock() - begun)
                    begun = clock()
        except Exception as error:  # noqa: BLE001 - reported; the endpoint is tried again when its lease is over
            self._log.upkeep_crashed(self._name, error)
            return
        finally:
            await self._record(batch, attempts)

    async def _record(self, batch: DeliveryBatch, attempts: list[DeliveryAttempt]) -> None:
        try:
            result = await self._queue.finish(batch, attempts)
            self._meter.given_up(result.given_up)
            if result.disabled:
                self._meter.disabled()
        except ServiceError as error:
            # The lease ends by itself, and what was sent is sent once more.
            self._log.upkeep_failed(self._name, error)
        except Exception as error:  # noqa: BLE001 - see above
            self._log.upkeep_crashed(self._name, error)
