"""Builds what serves the watches of the outbox; bootstrap runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from messaging_service.events.event_tail import EventTail, TailLimits
from messaging_service.events.grpc.event_calls import EventCalls
from messaging_service.events.grpc.event_cursors import AccountCursors
from messaging_service.events.postgres.event_rows import PostgresEntryEvents, PostgresEventLog
from messaging_service.events.watch_outbox import WatchOutbox
from messaging_service.shared.postgres.session_guards import GUARDS
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from service_kit.duties.duty import DutyLog
from service_kit.postgres.database import Pool, create_pool

CATCH_UPS = 2
"""Connections for watchers that catch up; the reader of all watchers has one of its own, for which it never waits."""
CATCH_UP_TIMEOUT_S = 30.0
"""Longest wait for one of them."""
CATCH_UP_PATIENCE_S = 10 * 60 + 5.0
"""Longest wait for an answer on one of them: catching up allows the database 10 minutes for a statement."""
POOL_CLOSE_S = 5.0

I = TypeVar("I")  # noqa: E741 - item
R = TypeVar("R")


class Watching:
    """The reader of new events, and the watches that it serves."""

    def __init__(self, settings: MessagingSettings, pool: Pool, now: Callable[[], datetime], log: DutyLog) -> None:
        """`pool`: for looks at single entries, as cheap as those of other callers."""
        url = settings.database.database_url
        self._tail_pool = create_pool(url, "messaging-tail", guards=GUARDS, min_size=0, max_size=1)
        self._catch_up_pool = create_pool(
            url,
            "messaging-catch-up",
            guards=GUARDS,
            min_size=0,
            max_size=CATCH_UPS,
            timeout_s=CATCH_UP_TIMEOUT_S,
            patience_s=CATCH_UP_PATIENCE_S,
            seldom=True,
        )
        limits = TailLimits(settings.events.watch_poll_s, settings.events.max_watches, settings.events.watch_buffer)
        self._tail = EventTail(PostgresEventLog(self._tail_pool), limits, log)
        entries = PostgresEntryEvents(pool)
        self.calls = EventCalls(
            entries,
            WatchOutbox(self._tail, PostgresEventLog(self._catch_up_pool), entries),
            AccountCursors(now, timedelta(seconds=settings.events.watch_resume_s)),
        )

    @property
    def pools(self) -> dict[str, Pool]:
        """Its connections, by the name that their figures carry."""
        return {"tail": self._tail_pool, "catch-up": self._catch_up_pool}

    @property
    def watches(self) -> int:
        """Watches that are open."""
        return self._tail.watches

    async def open(self) -> None:
        """Connects when somebody watches."""
        await self._tail_pool.open(wait=False)
        await self._catch_up_pool.open(wait=False)

    async def run(self) -> None:
        """Serves the watches until cancelled."""
        await self._tail.run()

    def noted(self, flush: Callable[[Sequence[I]], Awaitable[R]]) -> Callable[[Sequence[I]], Awaitable[R]]:
        """The same flush, whose events are looked for as soon as it is done."""

        async def flushed(batch: Sequence[I]) -> R:
            try:
                return await flush(batch)
            finally:
                self._tail.wake()

        return flushed

    def end(self) -> None:
        """Ends every watch with a word; their callers go on at another replica."""
        self._tail.close()

    async def close(self) -> None:
        """Disconnects."""
        await self._tail_pool.close(POOL_CLOSE_S)
        await self._catch_up_pool.close(POOL_CLOSE_S)
