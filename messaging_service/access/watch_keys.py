"""Following the keys that end, whichever process ends them: one reader for all who watch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from typing import Final

from messaging_service.access.key_store import KeyChanges
from messaging_service.shared.domain import reasons
from service_kit.duties.duty import Duty, DutyLog
from service_kit.errors import Kind, ServiceError

MOST_WATCHES: Final = 200
"""At a time; each gateway has one."""
MOST_WAITING: Final = 10_000
"""Ids that may wait for one watcher, which takes no longer to forget all that it knows."""
IDS_AT_ONCE: Final = 1_000


class KeyWatch:
    """Looks for changes at short intervals while somebody watches, at once after those of this process.

    A watcher's first news says that everything which is committed from then on will be told. Each later look that
    succeeds may be told as well, so news without ids are a sign that nothing was missed so far, and their absence one
    that it is not known. A look that fails ends every watch.
    """

    def __init__(
        self,
        changes: KeyChanges,
        log: DutyLog,
        *,
        every_s: float,
        heartbeat_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`every_s`: seconds between two looks. `heartbeat_s`: how long a watcher goes without news at least."""
        self._changes = changes
        self._heartbeat_s = heartbeat_s
        self._monotonic = monotonic
        self._duty = Duty("key_watch", self._pass, log, every_s=every_s)
        self._watchers: set[_Watcher] = set()
        self._wanted = asyncio.Event()
        self._moment: str | None = None
        self._closed = False

    @property
    def watches(self) -> int:
        """Watches that are open."""
        return len(self._watchers)

    def wake(self) -> None:
        """A key changed here: looks at once."""
        self._duty.wake()

    def close(self) -> None:
        """Ends every watch, and refuses new ones; they go on at another replica."""
        self._closed = True
        self._end_all(_draining())

    async def run(self) -> None:
        """Serves the watchers until cancelled."""
        await self._duty.run()

    async def watch(self) -> AsyncGenerator[Sequence[str], None]:
        """The ids of keys that changed, as they change; none in the first news, and as a heartbeat.

        Raises ServiceError SHUTTING_DOWN, TOO_MANY_WATCHES, WATCHER_TOO_SLOW or DATABASE_UNAVAILABLE: who watched must
        forget what it knows of keys.
        """
        with self._watcher() as watcher:
            while True:
                yield await watcher.news()

    @contextmanager
    def _watcher(self) -> Iterator[_Watcher]:
        if self._closed:
            raise _draining()
        if len(self._watchers) >= MOST_WATCHES:
            raise _too_many()
        watcher = _Watcher(self._heartbeat_s, self._monotonic)
        self._watchers.add(watcher)
        self._wanted.set()
        self._duty.wake()
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            if not self._watchers:
                self._wanted.clear()
                self._moment = None

    async def _pass(self) -> None:
        # For as long as nobody watches.
        await self._wanted.wait()
        # Who comes during the look starts with the next one, which shows all that is committed from then on.
        watchers = list(self._watchers)
        try:
            self._moment, ids = await self._changes.since(self._moment)
        except Exception as failure:
            # Every watch raises it.
            self._moment = None
            self._end_all(failure)
            raise
        for watcher in watchers:
            watcher.take(ids)
        if not self._watchers:
            self._moment = None

    def _end_all(self, failure: Exception) -> None:
        for watcher in self._watchers:
            watcher.end(failure)


class _Watcher:
    """What waits for one watcher."""

    def __init__(self, heartbeat_s: float, monotonic: Callable[[], float]) -> None:
        self._heartbeat_s = heartbeat_s
        self._monotonic = monotonic
        self._due = asyncio.Event()
        self._ids: dict[str, None] = {}
        self._has_started = False
        self._is_greeted = False
        self._told_at = monotonic()
        self._failure: Exception | None = None

    def take(self, ids: Sequence[str]) -> None:
        """A look found these; what the first one finds was committed before the watch began."""
        if not self._has_started:
            self._has_started = True
            self._due.set()
            return
        self._ids.update(dict.fromkeys(ids))
        if len(self._ids) > MOST_WAITING:
            self.end(_too_slow())
        elif self._ids or self._monotonic() - self._told_at >= self._heartbeat_s:
            self._due.set()

    def end(self, failure: Exception) -> None:
        """Nothing more comes but the failure."""
        self._failure = failure
        self._ids.clear()
        self._due.set()

    async def news(self) -> Sequence[str]:
        """What is to be told next. Raises what ended the watch."""
        # Set by the next look that succeeds or fails, which the patience of its connection bounds.
        await self._due.wait()
        if self._failure is not None:
            raise self._failure
        ids = tuple(islice(self._ids, IDS_AT_ONCE)) if self._is_greeted else ()
        self._is_greeted = True
        for key_id in ids:
            del self._ids[key_id]
        if not self._ids:
            self._due.clear()
        self._told_at = self._monotonic()
        return ids


def _draining() -> ServiceError:
    return ServiceError(
        Kind.UNAVAILABLE,
        reasons.SHUTTING_DOWN,
        "this process is ending; watch again at another one, and forget what is known of keys",
        retry_after=timedelta(seconds=1),
    )


def _too_many() -> ServiceError:
    return ServiceError(
        Kind.OVERLOADED,
        reasons.TOO_MANY_WATCHES,
        f"this process serves {MOST_WATCHES} watches of keys already; watch again later, with one watch a gateway",
        retry_after=timedelta(seconds=5),
    )


def _too_slow() -> ServiceError:
    return ServiceError(
        Kind.OVERLOADED,
        reasons.WATCHER_TOO_SLOW,
        f"more than {MOST_WAITING:,} changes waited for this watcher; watch again, and forget what is known of keys",
        retry_after=timedelta(seconds=1),
    )
