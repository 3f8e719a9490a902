"""The two duties behind webhooks: telling what happened, and posting it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any, NoReturn

from messaging_service.use_cases.meters import DeliveryMeter
from messaging_service.use_cases.upkeep import UpkeepLog
from messaging_service.use_cases.webhooks import DeliveryQueue, Errand, EventTelling, Sender, Tried
from service_kit.errors import ServiceError

EVENTS_AT_ONCE = 5_000
"""Of one look: each looks through everything since the last, so few looks are better."""
STEP = 1_000
"""Deliveries that are given up or deleted in one transaction."""
TIDY_EVERY_S = 60.0
TELLING = "webhook_telling"
DELIVERIES = "webhook_deliveries"
"""The duties in logs and metrics."""


class TellEvents:
    """Makes deliveries of what happened, every so often; of all processes one at a time does."""

    def __init__(
        self,
        telling: EventTelling,
        delivering: DeliverWebhooks,
        log: UpkeepLog,
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
        self._every_s = every_s
        self._keep_s = keep_s

    async def run(self) -> NoReturn:
        """Runs until cancelled."""
        loop = asyncio.get_running_loop()
        tidy_at = loop.time() + TIDY_EVERY_S
        while True:
            more = await self._guarded(self._tell())
            if loop.time() >= tidy_at:
                busy = await self._guarded(self.tidy())
                tidy_at = loop.time() + (0 if busy else TIDY_EVERY_S)
            if not more:
                await asyncio.sleep(self._every_s)

    async def _tell(self) -> bool:
        told = await self._telling.tell(EVENTS_AT_ONCE)
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

    async def _guarded(self, work: Coroutine[Any, Any, bool]) -> bool:
        try:
            return await work
        except ServiceError as error:
            self._log.upkeep_failed(TELLING, error.reason)
        except Exception as error:  # noqa: BLE001 - a duty that ends would take the whole service with it
            self._log.upkeep_crashed(TELLING, error)
        return False


class DeliverWebhooks:
    """Posts deliveries: to many endpoints at a time, to each one after another."""

    def __init__(
        self,
        queue: DeliveryQueue,
        sender: Sender,
        log: UpkeepLog,
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
        self._poll_s = poll_s
        self._at_once = at_once
        self._duty = duty
        self._wake = asyncio.Event()
        self._errands: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Something is to be posted: looks at once."""
        self._wake.set()

    async def run(self) -> NoReturn:
        """Runs until cancelled; then what was posted is still recorded."""
        try:
            while True:
                self._wake.clear()
                await self._look()
                try:
                    async with asyncio.timeout(self._poll_s):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            for errand in self._errands:
                errand.cancel()
            await asyncio.gather(*self._errands, return_exceptions=True)

    async def _look(self) -> None:
        room = self._at_once - len(self._errands)
        if room <= 0:
            return
        try:
            errands = await self._queue.take(room)
        except ServiceError as error:
            self._log.upkeep_failed(self._duty, error.reason)
            return
        except Exception as error:  # noqa: BLE001 - a duty that ends would take the whole service with it
            self._log.upkeep_crashed(self._duty, error)
            return
        for errand in errands:
            task = asyncio.create_task(self._run_errand(errand))
            self._errands.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._errands.discard(task)
        # Its endpoint may have more, and there is room for another.
        self._wake.set()

    async def _run_errand(self, errand: Errand) -> None:
        tried: list[Tried] = []
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            async with aclosing(self._sender.post(errand)) as answers:
                async for one in answers:
                    # One by one, to be kept also when the process ends in the middle.
                    tried.append(one)
                    self._meter.tried(one.answer.error, clock() - begun)
                    begun = clock()
        except Exception as error:  # noqa: BLE001 - reported; the endpoint is tried again when its lease is over
            self._log.upkeep_crashed(self._duty, error)
            return
        finally:
            await self._record(errand, tried)

    async def _record(self, errand: Errand, tried: list[Tried]) -> None:
        try:
            ended = await self._queue.bring_back(errand, tried)
            self._meter.given_up(ended.given_up)
            if ended.disabled:
                self._meter.disabled()
        except ServiceError as error:
            # The lease ends by itself, and what was posted is posted once more.
            self._log.upkeep_failed(self._duty, error.reason)
        except Exception as error:  # noqa: BLE001 - see above
            self._log.upkeep_crashed(self._duty, error)
