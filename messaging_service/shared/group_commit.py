"""Concurrent work shares one transaction: what arrives while a flush runs goes with the next one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final, Generic, TypeAlias, TypeVar

from messaging_service.shared.commit_meter import CommitMeter, UnmeteredCommits
from messaging_service.shared.domain import reasons
from messaging_service.shared.flush_size import FlushSize
from service_kit.errors import Kind, ServiceError
from service_kit.request_id import for_nobody
from service_kit.tracing.span import Attributes, Span, SpanKind, current_span

I = TypeVar("I")  # noqa: E741 - item
R = TypeVar("R")


_Waiting: TypeAlias = tuple[I, asyncio.Future[R], float, Span | None]
"""An item, where its result goes, since when it waits, and the span of its request when that is sampled."""


class GroupCommit(Generic[I, R]):
    """Collects items and flushes them together, one flush at a time.

    A lone caller does not wait for company: the flush is armed for the end of the present loop turn. A
    flush answers each item with its own result or ServiceError. When a flush as a whole raises something
    else, its items are flushed one by one, so that only the one at fault fails.
    """

    def __init__(
        self,
        name: str,
        flush: Callable[[Sequence[I]], Awaitable[Sequence[R | ServiceError]]],
        *,
        max_batch: int,
        max_waiting: int,
        size: FlushSize | None = None,
        meter: CommitMeter | None = None,
        traced_as: Attributes | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`size` says how many items of at most `max_batch` go together; None: always as many as there are.

        `meter` counts every flush; None for no figures. `traced_as`: attributes of the spans of flushes. `clock`:
        seconds, monotonic.
        """
        self.name: Final = name
        self._flush = flush
        self._size = size or FlushSize(max_batch, max_batch, target_s=float("inf"))
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._meter = meter or UnmeteredCommits()
        self._traced_as = traced_as or {}
        self._clock = clock
        self._waiting: list[_Waiting[I, R]] = []
        self._task: asyncio.Task[None] | None = None
        self._armed = False
        self._running: tuple[float, float] | None = None
        """When the flush under way began, and since when its oldest item waits."""

    @property
    def oldest_s(self) -> float:
        """Age in seconds of the oldest item that waits or is being flushed; 0 when there is none."""
        oldest = self._waiting[0][2] if self._waiting else None
        if self._running is not None:
            oldest = self._running[1]
        return 0.0 if oldest is None else self._clock() - oldest

    @property
    def running_s(self) -> float:
        """For how long the flush under way runs, in seconds; 0 when none does."""
        return 0.0 if self._running is None else self._clock() - self._running[0]

    @property
    def waiting(self) -> int:
        """Items that wait for a flush to begin."""
        return len(self._waiting)

    @property
    def limit(self) -> int:
        """Items that the next flush may have."""
        return min(self._max_batch, self._size.limit)

    async def submit(self, item: I) -> R:
        """The item's result once its transaction has committed.

        Raises the item's ServiceError, or OVERLOADED at once when too many items wait. A caller that
        stops waiting does not take its item back.
        """
        if len(self._waiting) >= self._max_waiting:
            self._meter.turned_away()
            raise ServiceError(
                Kind.OVERLOADED,
                reasons.OVERLOADED,
                f"too many requests wait for {self.name}; nothing was stored or charged, try again shortly",
                retry_after=timedelta(seconds=1),
            )
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, future, self._clock(), current_span()))
        if self._task is None and not self._armed:
            self._armed = True
            # A flush belongs to no single request.
            loop.call_soon(self._start, context=for_nobody())
        return await future

    async def drain(self) -> None:
        """Returns when everything submitted so far has been flushed."""
        while self._armed or self._task is not None:
            if self._task is not None:
                await asyncio.wait({self._task})
            else:
                await asyncio.sleep(0)

    def _start(self) -> None:
        self._armed = False
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"group-commit {self.name}")

    async def _run(self) -> None:
        try:
            while self._waiting:
                limit = self.limit
                batch = self._waiting[:limit]
                del self._waiting[:limit]
                try:
                    await self._flush_batch(batch)
                except BaseException as error:
                    # Nobody may wait for a result that never comes.
                    for _, future, _, _ in batch:
                        _fail(future, error)
                    if not isinstance(error, Exception):
                        raise
        finally:
            self._task = None

    async def _flush_batch(self, batch: Sequence[_Waiting[I, R]]) -> None:
        begun = self._clock()
        self._running = (begun, batch[0][2])
        try:
            items = [item for item, _, _, _ in batch]
            spans = [span for _, _, _, span in batch if span is not None]
            results = await (self._traced_flush(items, spans) if spans else self._flush(items))
        except ServiceError as error:
            self._meter.failed(error)
            for _, future, _, _ in batch:
                _fail(future, error)
        except Exception as error:  # noqa: BLE001 - goes to the callers, one by one
            self._meter.failed(error)
            if len(batch) == 1:
                _fail(batch[0][1], error)
                return
            for pair in batch:
                await self._flush_batch([pair])
        else:
            took_s = self._clock() - begun
            self._size.flushed(len(batch), took_s)
            self._meter.flushed(len(batch), begun - batch[0][2], took_s)
            for (_, future, _, _), result in zip(batch, results, strict=True):
                if isinstance(result, ServiceError):
                    _fail(future, result)
                elif not future.done():
                    future.set_result(result)
        finally:
            self._running = None

    async def _traced_flush(self, items: Sequence[I], spans: Sequence[Span]) -> Sequence[R | ServiceError]:
        """A flush in a span that is linked to the requests that are sampled, and a part of the first of them."""
        attributes = {**self._traced_as, "tukupay.flush.items": len(items)}
        links = [span.context for span in spans]
        with spans[0].begin(f"flush {self.name}", SpanKind.CLIENT, links=links, attributes=attributes):
            return await self._flush(items)


def _fail(future: asyncio.Future[R], error: BaseException) -> None:
    if future.done():
        return
    if isinstance(error, asyncio.CancelledError):
        future.cancel()
    else:
        future.set_exception(error)
