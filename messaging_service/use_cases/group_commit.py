"""Concurrent work shares one transaction: what arrives while a flush runs goes with the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Generic, TypeVar

from service_kit.errors import Kind, ServiceError

I = TypeVar("I")  # noqa: E741 - item
R = TypeVar("R")


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
    ) -> None:
        self._name = name
        self._flush = flush
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: list[tuple[I, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None
        self._armed = False

    async def submit(self, item: I) -> R:
        """The item's result once its transaction has committed.

        Raises the item's ServiceError, or OVERLOADED at once when too many items wait. A caller that
        stops waiting does not take its item back.
        """
        if len(self._waiting) >= self._max_waiting:
            raise ServiceError(
                Kind.OVERLOADED,
                "OVERLOADED",
                f"too many requests wait for {self._name}; nothing was stored or charged, try again shortly",
                retry_after=timedelta(seconds=1),
            )
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, future))
        if self._task is None and not self._armed:
            self._armed = True
            loop.call_soon(self._start)
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
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"group-commit {self._name}")

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[: self._max_batch]
                del self._waiting[: self._max_batch]
                await self._flush_batch(batch)
        finally:
            self._task = None

    async def _flush_batch(self, batch: Sequence[tuple[I, asyncio.Future[R]]]) -> None:
        try:
            results = await self._flush([item for item, _ in batch])
        except ServiceError as error:
            for _, future in batch:
                _fail(future, error)
        except Exception as error:  # noqa: BLE001 - goes to the callers, one by one
            if len(batch) == 1:
                _fail(batch[0][1], error)
                return
            for pair in batch:
                await self._flush_batch([pair])
        else:
            for (_, future), result in zip(batch, results, strict=True):
                if isinstance(result, ServiceError):
                    _fail(future, result)
                elif not future.done():
                    future.set_result(result)


def _fail(future: asyncio.Future[R], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
