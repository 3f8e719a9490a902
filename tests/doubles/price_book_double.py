"""A price book over real gRPC that tests write, hold up, cut off and stop; and a copy that follows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import grpc
from grpc import aio

from messaging_service.prices.client.copy_audit import CopyAudit
from messaging_service.prices.client.live_prices import LivePrices
from messaging_service.prices.client.price_questions import PriceQuestions
from messaging_service.prices.client.price_watch import SILENT_INTERVALS, PriceWatch
from messaging_service.prices.domain.price_copy import PriceCopy
from service_kit.grpc.channel import open_channel
from service_kit.settings import Address
from tukupay.sms.common.v1 import errors_pb2
from tukupay.sms.pricing.v1 import pricing_pb2 as pb
from tukupay.sms.pricing.v1 import pricing_pb2_grpc

TUKUPAY, APP_OWNER, SPECIFIC, DIRECT = (
    pb.COST_LEVEL_TUKUPAY,
    pb.COST_LEVEL_APP_OWNER,
    pb.COST_LEVEL_SPECIFIC_CUSTOMER,
    pb.COST_LEVEL_DIRECT_CUSTOMER,
)
HEARTBEAT_S = 0.1
DEADLINE_S = 20.0

Level: TypeAlias = pb.CostLevel.ValueType


class PriceBook(pricing_pb2_grpc.PricingServiceServicer):
    """Rows in memory; the row recorded last wins within a level, and withdrawn ones count for nothing."""

    def __init__(self) -> None:
        self.rows: list[pb.Cost] = []
        self.epoch = 0
        self.questions = 0
        self.calls = 0
        self.watches = 0
        self.answers_may_leave = asyncio.Event()
        self.answers_may_leave.set()
        self.answer_ready = asyncio.Event()
        self.is_mute = False
        """Whether watches stay open and say nothing."""
        self.failure: str | None = None
        """A reason that every question fails with."""
        self._streams: set[asyncio.Queue[pb.WatchPricesResponse | None]] = set()

    # What tests do.

    def set(self, level: Level, micros: int, *, of: str | None = None, after_s: float = -60.0) -> pb.Cost:
        """Records a row."""
        row = self.record_secretly(level, micros, of=of, after_s=after_s)
        self.tell(row)
        return row

    def record_secretly(self, level: Level, micros: int, *, of: str | None = None, after_s: float = -60.0) -> pb.Cost:
        """Records a row of which no watch hears."""
        row = pb.Cost(cost_id=f"cost_{len(self.rows)}", level=level, price_micros=micros)
        row.effective_from.FromDatetime(datetime.now(UTC) + timedelta(seconds=after_s))
        if of is not None:
            setattr(row, "app_id" if level == APP_OWNER else "customer_id", of)
        self.rows.append(row)
        return row

    def withdraw(self, row: pb.Cost) -> None:
        """Withdraws a row."""
        row.withdrawal.withdrawn_time.GetCurrentTime()
        self.tell(row)

    def tell(self, row: pb.Cost) -> None:
        """Tells all watches of a change to a row."""
        self.epoch += 1
        for stream in self._streams:
            stream.put_nowait(pb.WatchPricesResponse(epoch=self.epoch, changes=[row]))

    def cut(self) -> None:
        """Ends all watches."""
        for stream in self._streams:
            stream.put_nowait(None)

    def price(self, customer_id: str, app_id: str | None, at: datetime | None = None) -> int | None:
        """What the book says."""
        row = self._resolve(customer_id, app_id, at or datetime.now(UTC))
        return None if row is None else row.price_micros

    # What the service does.

    async def BatchResolvePrices(self, request: Any, context: Any) -> Any:  # noqa: N802 - named by the proto
        self.calls += 1
        self.questions += len(request.requests)
        response = pb.BatchResolvePricesResponse(results=[self._result(item) for item in request.requests])
        self.answer_ready.set()
        await self.answers_may_leave.wait()
        return response

    async def WatchPrices(  # noqa: N802 - named by the proto
        self, request: Any, context: Any
    ) -> AsyncIterator[pb.WatchPricesResponse]:
        self.watches += 1
        stream: asyncio.Queue[pb.WatchPricesResponse | None] = asyncio.Queue()
        self._streams.add(stream)
        told = self.epoch
        try:
            yield pb.WatchPricesResponse(epoch=told)
            while True:
                try:
                    async with asyncio.timeout(request.heartbeat_interval.ToTimedelta().total_seconds()):
                        news = await stream.get()
                except TimeoutError:
                    news = pb.WatchPricesResponse(epoch=told)
                if news is None:
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
                elif not self.is_mute:
                    told = news.epoch
                    yield news
        finally:
            self._streams.discard(stream)

    def _candidates(self, customer_id: str, app_id: str | None) -> list[list[pb.Cost]]:
        standing = [row for row in self.rows if not row.HasField("withdrawal")]
        return [
            [row for row in standing if row.level == SPECIFIC and row.customer_id == customer_id],
            [row for row in standing if row.level == APP_OWNER and row.app_id == app_id],
            [row for row in standing if row.level == DIRECT],
            [row for row in standing if row.level == TUKUPAY],
        ]

    def _resolve(self, customer_id: str, app_id: str | None, at: datetime) -> pb.Cost | None:
        for rows in self._candidates(customer_id, app_id):
            effective = [(_instant(row), number) for number, row in enumerate(rows) if _instant(row) <= at]
            if effective:
                return rows[max(effective)[1]]
        return None

    def _result(self, item: Any) -> pb.PriceResult:
        app_id = item.app_id if item.HasField("app_id") else None
        at = item.at.ToDatetime(tzinfo=UTC) if item.HasField("at") else datetime.now(UTC)
        row = self._resolve(item.customer_id, app_id, at)
        reason = self.failure or ("NO_PRICE" if row is None else None)
        if reason is not None:
            return pb.PriceResult(error=errors_pb2.ItemError(code=5, reason=reason, message="none"))
        answer = pb.ResolvePriceResponse(cost=row)
        answer.resolved_at.FromDatetime(at)
        later = sorted({_instant(row) for row in self.rows if _instant(row) > at})
        for instant in later:
            if self._resolve(item.customer_id, app_id, instant) is not row:
                answer.valid_until.FromDatetime(instant)
                break
        return pb.PriceResult(price=answer)


def _instant(row: pb.Cost) -> datetime:
    return row.effective_from.ToDatetime(tzinfo=UTC)


@dataclass
class Follower:
    """A price book, and what messaging makes of it."""

    book: PriceBook
    server: aio.Server
    port: int
    copy: PriceCopy
    prices: LivePrices
    watch: PriceWatch
    audit: CopyAudit
    clock: list[float] = field(default_factory=lambda: [0.0])
    """Seconds by which the copy's clock is ahead."""

    async def price(self, customer_id: str = "jane", app_id: str | None = None, at: datetime | None = None) -> int:
        """What a send would be charged for a unit, in micros."""
        price = (await self.prices.price_of(customer_id, app_id, at)).price
        return int(price.unit_price * 1_000_000)

    async def caught_up(self) -> None:
        """Returns when the copy reflects the book and is fresh."""
        async with asyncio.timeout(DEADLINE_S):
            while not (self.copy.is_fresh and self.copy.epoch == self.book.epoch):
                await self.watch.words(1)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Lets everybody else run until a condition holds."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():  # noqa: ASYNC110 - an event would have to be built into what is watched
                await asyncio.sleep(0)

    async def broken(self) -> None:
        """Returns when the copy knows that nobody tells it of changes."""
        await self.until(lambda: not self.copy.is_fresh)

    async def stop_book(self) -> None:
        """The price book is away."""
        await self.server.stop(None)
        await self.broken()

    async def start_book(self) -> None:
        """The price book is back, where it was."""
        self.server, self.port = await _serve(self.book, self.port)


async def _serve(book: PriceBook, port: int = 0) -> tuple[aio.Server, int]:
    server = aio.server(options=[("grpc.so_reuseport", 0)])
    pricing_pb2_grpc.add_PricingServiceServicer_to_server(book, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    return server, bound


@asynccontextmanager
async def following(
    *, stale_s: float = 60.0, capacity: int = 1_000, heartbeat_s: float = HEARTBEAT_S
) -> AsyncIterator[Follower]:
    """A price book with one price for everybody (0.8 KES), and a copy that follows it."""
    book = PriceBook()  # type: ignore[abstract]  # the other calls answer UNIMPLEMENTED
    book.set(TUKUPAY, 800_000)
    server, port = await _serve(book)
    ahead = [0.0]
    loop = asyncio.get_running_loop()

    def clock() -> float:
        return loop.time() + ahead[0]

    copy = PriceCopy(capacity=capacity, silence_s=SILENT_INTERVALS * heartbeat_s, stale_s=stale_s, clock=clock)
    async with open_channel(Address("127.0.0.1", port)) as channel:
        questions = PriceQuestions(channel, timeout_s=1.0)
        watch = PriceWatch(channel, copy, heartbeat_s=heartbeat_s, clock=clock)
        audit = CopyAudit(copy, questions, watch, settle_s=0.0)
        follower = Follower(book, server, port, copy, LivePrices(questions, copy), watch, audit, ahead)
        task = loop.create_task(watch.run())
        try:
            await follower.caught_up()
            yield follower
        finally:
            task.cancel()
            await asyncio.wait({task})
            book.answers_may_leave.set()
            book.cut()
            await follower.server.stop(None)
