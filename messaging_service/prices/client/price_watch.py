"""Follows the changes of the price book, and keeps the copy up to date."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn

import structlog
from google.protobuf.duration_pb2 import Duration
from grpc import aio

from messaging_service.prices.client.price_questions import LEVELS
from messaging_service.prices.domain.price_copy import Change, PriceCopy
from service_kit.backoff import backoff_s
from service_kit.grpc.grpc_metrics import CallMeter, UncountedCalls
from service_kit.grpc.timestamps import to_datetime
from tukupay.sms.pricing.v1 import pricing_pb2, pricing_pb2_grpc

SILENT_INTERVALS = 3
"""Heartbeats that may be missing before a watch is given up."""
SHORTEST_PAUSE_S = 0.025
LONGEST_PAUSE_S = 2.0

_CODE_OF = {"closed by the server": "OK", "silent": "DEADLINE_EXCEEDED", "crashed": "UNKNOWN"}
"""The status that a watch is counted with, where the reason is not a status itself."""

Call = aio.UnaryStreamCall[pricing_pb2.WatchPricesRequest, pricing_pb2.WatchPricesResponse]

log = structlog.get_logger()


class PriceWatch:
    """One watch at a time, opened again whenever it ends."""

    def __init__(
        self,
        channel: aio.Channel,
        copy: PriceCopy,
        *,
        heartbeat_s: float,
        clock: Callable[[], float] = time.monotonic,
        calls: CallMeter | None = None,
    ) -> None:
        """`heartbeat_s`: the longest silence asked for; three times as long ends a watch.

        `calls` counts every watch that ended; None for no figures.
        """
        self._calls = calls or UncountedCalls()
        self._stub = pricing_pb2_grpc.PricingServiceStub(channel)
        self._copy = copy
        self._heartbeat = Duration()
        self._heartbeat.FromTimedelta(timedelta(seconds=heartbeat_s))
        self._silence_s = SILENT_INTERVALS * heartbeat_s
        self._clock = clock
        self._word = asyncio.Event()
        self._failures = 0

    async def run(self) -> NoReturn:
        """Watches until cancelled."""
        while True:
            begun = self._clock()
            reason = await self._watch()
            self._calls.ended("PricingService/WatchPrices", _CODE_OF.get(reason, reason), self._clock() - begun)
            self._copy.watch_broke()
            if not self._failures:
                log.warning("prices.watch_ended", reason=reason, epoch=self._copy.epoch)
            self._failures += 1
            await asyncio.sleep(backoff_s(self._failures, SHORTEST_PAUSE_S, LONGEST_PAUSE_S))

    async def words(self, count: int) -> None:
        """Returns when the watch has received this many messages more."""
        for _ in range(count):
            await self._word.wait()

    async def _watch(self) -> str:
        """Follows one watch to its end; why it ended."""
        call: Call = self._stub.WatchPrices(pricing_pb2.WatchPricesRequest(heartbeat_interval=self._heartbeat))
        try:
            return await self._follow(call)
        except aio.AioRpcError as error:
            return str(error.code().name)
        except TimeoutError:
            return "silent"
        except Exception as error:
            log.error("prices.watch_crashed", exc_info=error)  # noqa: TRY400 - traceback is in exc_info
            # Whatever was received may have been applied by half.
            self._copy.forget()
            return "crashed"
        finally:
            call.cancel()

    async def _follow(self, call: Call) -> str:
        opened = False
        while True:
            waiting_since = self._clock()
            async with asyncio.timeout(self._silence_s):
                received = await call.read()
            if not isinstance(received, pricing_pb2.WatchPricesResponse):
                return "closed by the server"
            if self._clock() - waiting_since > self._silence_s:
                # This process stood still: what it reads now was said long ago, and more may be behind it.
                return "silent"
            now = to_datetime(received.now) if received.HasField("now") else None
            if opened:
                self._copy.watch_told(received.epoch, [_to_change(cost) for cost in received.changes], now)
            else:
                opened = True
                self._failures = 0
                known = self._copy.epoch
                self._copy.watch_opened(received.epoch, now)
                log.info("prices.watch_opened", epoch=received.epoch, missed_changes=known != received.epoch)
            self._word.set()
            self._word = asyncio.Event()


def _to_change(cost: pricing_pb2.Cost) -> Change:
    entity = cost.customer_id if cost.HasField("customer_id") else cost.app_id if cost.HasField("app_id") else None
    return Change(LEVELS[cost.level], entity)
