"""How reports share their few connections: each has its turn, and none is held for a caller who does not read.

A report that reads one snapshot holds its connection to its end. Without bounds, as many slow readers as there are
connections would keep everybody else out, and vacuum from the rows of the queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from psycopg import AsyncCursor, AsyncServerCursor
from psycopg.rows import TupleRow

from messaging_service.shared.domain import reasons
from messaging_service.shared.postgres.lagging_reads import LaggingReads
from messaging_service.shared.postgres.migrated import migrated
from service_kit.duties.ending import end_tasks
from service_kit.errors import Kind, ServiceError
from service_kit.postgres.database import WHOLE_TABLES, Connection, Pool, transaction

RETRY_AFTER: Final = timedelta(seconds=15)

Page = TypeVar("Page")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class ReportBounds:
    """What reports may take of their connections; times in seconds."""

    connections: int = 4
    """At once, in this process."""
    long: int = 3
    """Of these, for reports that hold one from their beginning to their end; the others serve page by page."""
    wait_s: float = 10.0
    """For a turn to hold one, before REPORTS_BUSY."""
    page_wait_s: float = 30.0
    """For a turn to read one page; longer, as a report that is half written would be lost."""
    patience_s: float = 15.0
    """Longest time for which a report that holds a connection waits for its caller."""
    page_patience_s: float = 0.5
    """What each page that was taken adds to the patience that is left."""


class _Patience:
    """For how long a report still waits for its caller: spent by waiting, regained by each page."""

    def __init__(self, bounds: ReportBounds) -> None:
        self._most_s = bounds.patience_s
        self._page_s = bounds.page_patience_s
        self._left_s = self._most_s

    async def wait(self, for_caller: Coroutine[Any, Any, Answer]) -> Answer:
        """What the caller does; raises CALLER_TOO_SLOW when the patience is used up."""
        clock = asyncio.get_running_loop()
        began = clock.time()
        try:
            async with asyncio.timeout(self._left_s):
                answer = await for_caller
        except TimeoutError:
            raise _too_slow(self._most_s) from None
        self._left_s = min(self._most_s, self._left_s - (clock.time() - began) + self._page_s)
        return answer


class ReportTurns:
    """The connections of reports, and the turns to use them."""

    def __init__(self, pool: Pool, bounds: ReportBounds | None = None, reads: LaggingReads | None = None) -> None:
        """`pool`: one that nobody else uses, of `bounds.connections`: who has a turn need not wait for a connection.

        `reads`: where reports go that may be a moment old; to the same pool unless given.
        """
        self._pool = pool
        self._reads = reads or LaggingReads(pool)
        self._bounds = bounds or ReportBounds()
        self._turns = asyncio.Semaphore(self._bounds.connections)
        self._long_turns = asyncio.Semaphore(self._bounds.long)

    @asynccontextmanager
    async def page(self) -> AsyncIterator[Connection]:
        """A transaction that is over before anybody is answered. Raises REPORTS_BUSY or DATABASE_UNAVAILABLE."""
        async with (
            _turn(self._turns, self._bounds.page_wait_s),
            migrated(transaction(self._pool, *WHOLE_TABLES)) as connection,
        ):
            yield connection

    @asynccontextmanager
    async def whole(self) -> AsyncIterator[Connection]:
        """A transaction that may take minutes. Raises REPORTS_BUSY or DATABASE_UNAVAILABLE."""
        async with _turn(self._long_turns, self._bounds.wait_s), self.page() as connection:
            yield connection

    async def read_page(self, query: Callable[[Connection], Awaitable[Answer]]) -> Answer:
        """What a query finds that may be a moment old, as in `page`."""
        async with _turn(self._turns, self._bounds.page_wait_s):
            return await self._reads.read_in_transaction(query, *WHOLE_TABLES)

    async def read_whole(self, query: Callable[[Connection], Awaitable[Answer]]) -> Answer:
        """What a query finds that may be a moment old, as in `whole`."""
        async with _turn(self._long_turns, self._bounds.wait_s):
            return await self.read_page(query)

    def streamed(self, pages: Callable[[Connection], AsyncGenerator[Page, None]]) -> AsyncGenerator[Page, None]:
        """The pages of a report that may be a moment old and holds a connection, as `handed_over`."""
        return self.handed_over(self._streamed(pages))

    async def _streamed(self, pages: Callable[[Connection], AsyncGenerator[Page, None]]) -> AsyncGenerator[Page, None]:
        async with (
            _turn(self._long_turns, self._bounds.wait_s),
            _turn(self._turns, self._bounds.page_wait_s),
            aclosing(self._reads.stream(pages, *WHOLE_TABLES)) as found,
        ):
            async for page in found:
                yield page

    async def handed_over(self, pages: AsyncGenerator[Page, None]) -> AsyncGenerator[Page, None]:
        """The pages of a report that holds a connection, read ahead by one.

        Whoever does not take them in time finds CALLER_TOO_SLOW at the end of what was read; the connection was given
        back then, whether or not the caller ever asks again.
        """
        handed: asyncio.Queue[Page | None] = asyncio.Queue()
        reading = asyncio.create_task(self._read(pages, handed))
        try:
            while (page := await handed.get()) is not None:
                handed.task_done()
                yield page
            await reading
        finally:
            await end_tasks([reading])
            if not reading.cancelled():
                # Looked at because a caller who left never sees it: asyncio would complain of it otherwise.
                reading.exception()

    async def _read(self, pages: AsyncGenerator[Page, None], handed: asyncio.Queue[Page | None]) -> None:
        patience = _Patience(self._bounds)
        try:
            async with aclosing(pages):
                async for page in pages:
                    handed.put_nowait(page)
                    await patience.wait(handed.join())
        finally:
            handed.put_nowait(None)

    async def in_time(self, pages: AsyncIterator[Page]) -> AsyncGenerator[Page, None]:
        """What a caller sends while a report holds a connection for it. Raises CALLER_TOO_SLOW."""
        patience = _Patience(self._bounds)
        source = aiter(pages)
        while (page := await patience.wait(_next(source))) is not None:
            yield page


@asynccontextmanager
async def paged(connection: Connection, name: str) -> AsyncIterator[AsyncServerCursor[TupleRow]]:
    """A cursor of the server, which ends with its transaction.

    A report may be ended at any moment, also while it says goodbye: psycopg's own end of a cursor is a round trip, and
    one that is cancelled leaves the cursor open for the garbage collector to complain about.
    """
    cursor = connection.cursor(name)
    try:
        yield cursor
    finally:
        await AsyncCursor.close(cursor)


async def _next(source: AsyncIterator[Page]) -> Page | None:
    return await anext(source, None)


@asynccontextmanager
async def _turn(turns: asyncio.Semaphore, wait_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(wait_s):
            await turns.acquire()
    except TimeoutError:
        raise ServiceError(
            Kind.OVERLOADED,
            reasons.REPORTS_BUSY,
            "as many reports are under way as may be at once; nothing was read, try again when one of them is done",
            retry_after=RETRY_AFTER,
        ) from None
    try:
        yield
    finally:
        turns.release()


def _too_slow(patience_s: float) -> ServiceError:
    return ServiceError(
        Kind.OVERLOADED,
        reasons.CALLER_TOO_SLOW,
        f"the report waited {patience_s:g} s for its caller in all and was ended, as others wait for its connection; "
        "read without pauses (write it to a file first), or ask for a shorter period or fewer groups",
    )
