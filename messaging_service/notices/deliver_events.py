"""The two duties behind webhooks: telling what happened, and posting it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from messaging_service.notices.delivery_ports import DeliveryAttempt, DeliveryBatch, DeliveryQueue, EventFanOut, Sender
from messaging_service.notices.notice_meters import DeliveryMeter
from service_kit.duties.duty import Duty, DutyLog
from service_kit.errors import ServiceError

EVENTS_AT_ONCE = 5_000
"""Of one look: each looks through everything since the last, so few looks are better."""
STEP = 1_000
"""Deliveries that are given up or deleted in one transaction."""
TIDY_EVERY_S = 60.0
TELLING = "webhook_telling"
DELIVERIES = "webhook_deliveries"
"""The duties in logs and metrics."""


class FanOutEvents:
    """Makes deliveries of what happened, every so often; of all processes one at a time does."""

    def __init__(
        self,
        telling: EventFanOut,
        delivering: DeliverEvents,
        log: DutyLog,
        meter: DeliveryMeter,
        *,
        every_s: float,
        keep_s: float,
    ) -> None:
        """`keep_s`: how long deliveries that ended are kept."""
        self._telling = telling
        self._delivering = delivering
        self._log = log
        self._meter = meter
        self._keep_s = keep_s
        self._tidy_at = 0.0
        self._duty = Duty(TELLING, self._pass, log, every_s=every_s)

    async def run(self) -> None:
        """Runs until cancelled."""
        self._tidy_at = asyncio.get_running_loop().time() + TIDY_EVERY_S
        await self._duty.run()

    async def _pass(self) -> float | None:
        try:
            more = await self._tell()
        finally:
            # Also while events cannot be told: what piles up is given up and deleted all the same.
            now = asyncio.get_running_loop().time()
            if now >= self._tidy_at:
                self._tidy_at = now + TIDY_EVERY_S
                if await self.tidy():
                    self._tidy_at = now
        return 0 if more else None

    async def _tell(self) -> bool:
        told = await self._telling.fan_out(EVENTS_AT_ONCE)
        self._meter.told(told.events, told.deliveries)
        if told.deliveries:
            self._delivering.wake()
        return told.more

    async def tidy(self) -> bool:
        """Fails what was tried for long enough, and deletes what ended long ago; whether there is more of it."""
        given_up = await self._telling.give_up(STEP)
        self._meter.given_up(given_up)
        forgotten = await self._telling.forget(self._keep_s, STEP)
        return STEP in (given_up, forgotten)


class DeliverEvents:
    """Posts deliveries: to many endpoints at a time, to each one after another."""

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
        """`at_once`: endpoints that are posted to at a time. `duty`: its name in logs and metrics."""
        self._queue = queue
        self._sender = sender
        self._log = log
        self._meter = meter
        self._at_once = at_once
        self._name = duty
        self._duty = Duty(duty, self._look, log, every_s=poll_s)
        self._batches: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Something is to be posted: looks at once."""
        self._duty.wake()

    async def run(self) -> None:
        """Runs until cancelled; then what was posted is still recorded."""
        try:
            await self._duty.run()
        finally:
            for batch in self._batches:
                batch.cancel()
            await asyncio.gather(*self._batches, return_exceptions=True)

    async def _look(self) -> None:
        room = self._at_once - len(self._batches)
        if room <= 0:
            return
        for batch in await self._queue.take(room):
            task = asyncio.create_task(self._post_batch(batch))
            self._batches.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        # Its endpoint may have more, and there is room for another.
        self._duty.wake()

    async def _post_batch(self, batch: DeliveryBatch) -> None:
        tried: list[DeliveryAttempt] = []
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            async with aclosing(self._sender.post(batch)) as answers:
                async for one in answers:
                    # One by one, to be kept also when the process ends in the middle.
                    tried.append(one)
                    self._meter.tried(one.answer.error, clock() - begun)
                    begun = clock()
        except Exception as error:  # noqa: BLE001 - reported; the endpoint is tried again when its lease is over
            self._log.upkeep_crashed(self._name, error)
            return
        finally:
            await self._record(batch, tried)

    async def _record(self, batch: DeliveryBatch, tried: list[DeliveryAttempt]) -> None:
        try:
            ended = await self._queue.finish(batch, tried)
            self._meter.given_up(ended.given_up)
            if ended.disabled:
                self._meter.disabled()
        except ServiceError as error:
            # The lease ends by itself, and what was posted is posted once more.
            self._log.upkeep_failed(self._name, error.reason)
        except Exception as error:  # noqa: BLE001 - see above
            self._log.upkeep_crashed(self._name, error)
