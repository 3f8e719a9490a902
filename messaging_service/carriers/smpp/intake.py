"""Stores what comes from a carrier before it is acknowledged, many at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, Protocol, TypeVar

import structlog

from messaging_service.carriers.smpp.codec.status import OK, Status

log = structlog.get_logger()

MAX_BATCH: Final = 500
MAX_WAITING: Final = 10_000
"""Items held for the sink; further ones are answered at once, to be brought again."""
GATHER_S: Final = 0.02
"""How long an item waits for company. Nobody waits for receipts, and each transaction costs the same
however many it stores."""

Item = TypeVar("Item")


class Ticket(Protocol):
    """What the carrier is answered on."""

    def acknowledge(self, status: int) -> None:
        """Tells the carrier what became of its PDU."""
        ...


class Intake(Generic[Item]):
    """Hands items to the sink; those that come while it works go together in its next call.

    Each item is answered within `timeout_s` of its arrival, also behind others: a carrier that was not answered in
    time has given up on it. `not_stored` is the status that has it brought again. `failure` is the event to log when
    the sink fails.
    """

    def __init__(
        self,
        carrier: str,
        failure: str,
        sink: Callable[[Sequence[Item]], Awaitable[None]],
        timeout_s: float,
        not_stored: int = Status.ESME_RX_T_APPN,
    ) -> None:
        self._carrier = carrier
        self._failure = failure
        self._sink = sink
        self._timeout_s = timeout_s
        self._not_stored = not_stored
        self._waiting: deque[tuple[float, Ticket, Item]] = deque()
        """Each with the time on the loop's clock by which it is answered."""
        self._work: asyncio.Task[None] | None = None
        self._call: asyncio.Task[BaseException | None] | None = None
        """The last call of the sink, which may be ending yet."""
        self._is_open = True

    def open(self) -> None:
        """Takes items again after a drain."""
        self._is_open = True

    def put(self, ticket: Ticket, item: Item) -> None:
        """Takes an item; its ticket is acknowledged when the sink is through with it."""
        if not self._is_open or len(self._waiting) >= MAX_WAITING:
            ticket.acknowledge(self._not_stored)
            return
        loop = asyncio.get_running_loop()
        self._waiting.append((loop.time() + self._timeout_s, ticket, item))
        self._begin()

    async def drain(self, timeout_s: float) -> None:
        """Takes no more, and waits until the sink is through; what is left, the carrier brings again."""
        self._is_open = False
        if self._work is not None:
            _, late = await asyncio.wait((self._work,), timeout=timeout_s)
            for task in late:
                task.cancel()
                await asyncio.wait((task,), timeout=timeout_s)
        if self._call is not None:
            await asyncio.wait((self._call,), timeout=timeout_s)
        while self._waiting:
            self._waiting.popleft()[1].acknowledge(self._not_stored)

    async def _store(self) -> None:
        while self._waiting:
            if self._is_open and len(self._waiting) < MAX_BATCH:
                await asyncio.sleep(GATHER_S)
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH))]
            # They came in order, so the first is due first.
            status = await self._store_batch([item for _, _, item in batch], answer_by=batch[0][0])
            for _, ticket, _ in batch:
                ticket.acknowledge(status)

    async def _store_batch(self, items: list[Item], answer_by: float) -> int:
        failure = await self._stored(items, answer_by)
        if failure is None:
            return OK
        log.warning(
            self._failure,
            carrier=self._carrier,
            count=len(items),
            error=type(failure).__name__,
        )
        return self._not_stored

    async def _stored(self, items: list[Item], answer_by: float) -> BaseException | None:
        """Why the sink did not store them in time; None when it did.

        The sink is cancelled when the time is over, but not waited for: to leave a database that stands still can take
        longer than a carrier waits. The next call waits for that, within its own time.
        """
        loop = asyncio.get_running_loop()
        if self._call is not None:
            await asyncio.wait((self._call,), timeout=max(0.0, answer_by - loop.time()))
            if not self._call.done():
                return TimeoutError()
        call = self._call = loop.create_task(self._call_sink(items))
        try:
            await asyncio.wait((call,), timeout=max(0.0, answer_by - loop.time()))
        finally:
            if not call.done():
                call.cancel()
        return call.result() if call.done() else TimeoutError()

    async def _call_sink(self, items: list[Item]) -> BaseException | None:
        try:
            await self._sink(items)
        except Exception as error:  # noqa: BLE001 - whatever fails, the carrier keeps the item
            return error
        return None

    def _finished(self, _: asyncio.Task[None]) -> None:
        self._work = None
        if self._waiting and self._is_open:
            self._begin()

    def _begin(self) -> None:
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._store())
            self._work.add_done_callback(self._finished)
