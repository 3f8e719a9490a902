"""Following the events of the outbox as they are committed: one reader for all who watch."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from messaging_service.events.domain.event_cursor import EventFilter, Handout, Position, Step
from messaging_service.events.event_log import EventLog
from messaging_service.shared.domain import reasons
from service_kit.duties.duty import Duty, DutyLog
from service_kit.errors import Kind, ServiceError

SHORTEST_PAUSE_S: Final = 0.02
"""Between two looks, however often it is woken: a look costs the database the same for one event as for many."""


@dataclass(frozen=True, slots=True)
class TailLimits:
    """How much watching may cost."""

    poll_s: float
    """Seconds between two looks at most, while somebody watches."""
    watches: int
    """Watches at a time."""
    buffer: int
    """Events that may wait for one watcher."""
    page: int = 1_000
    """Events of one look."""


class Subscription:
    """What the reader holds ready for one watcher."""

    def __init__(self, wanted: EventFilter, capacity: int) -> None:
        self.wanted = wanted
        self._capacity = capacity
        self._steps: deque[Step] = deque()
        self._waiting = 0
        self._failure: Exception | None = None
        self._news = asyncio.Event()
        self._position: Position | None = None

    @property
    def is_live(self) -> bool:
        """Whether it gets what the reader reads."""
        return self._position is not None

    def start(self, position: Position) -> None:
        """From here on it gets everything."""
        self._position = position
        self._news.set()

    def take(self, step: Step, handout: Handout) -> None:
        """Keeps what is wanted of a step; a watcher with too much waiting is given up."""
        self._position = step.position
        events = handout.wanted(self.wanted)
        if not events or self._failure is not None:
            return
        self._waiting += len(events)
        if self._waiting > self._capacity:
            self.end(_too_slow(self._capacity))
            return
        self._steps.append(step.with_events(events))
        self._news.set()

    def end(self, failure: Exception) -> None:
        """The watcher receives no more, but for the failure; it goes on later from the last cursor that it got."""
        self._failure = failure
        self._steps.clear()
        self._news.set()

    async def started(self) -> Position:
        """The position after which it gets everything. Raises what ended it."""
        while self._position is None:
            await self._wait()
        return self._position

    async def next(self, patience_s: float) -> Step:
        """The next events; without any after a silence of `patience_s`. Raises what ended it."""
        position = await self.started()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while not self._steps:
                    await self._wait()
        # Looked at anew, as the time may run out in the very turn in which something comes: the position is then ahead
        # of what waits.
        if self._failure is not None:
            raise self._failure
        if self._steps:
            step = self._steps.popleft()
            self._waiting -= len(step.events)
            return step
        # Nothing waits, so all that the reader has read was either given or is not wanted.
        position = self._position or position
        return Step(position, (), position)

    async def _wait(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._news.clear()
        await self._news.wait()
        if self._failure is not None:
            raise self._failure


class EventTail:
    """Reads new events once for all watchers of this process, and only those of accounts that are watched.

    Looks as soon as it is woken by a change here, and at short intervals for the changes that others make; not at all
    while nobody watches. Watchers never wait for one another: each has a buffer, and who lets it run over is ended.
    """

    def __init__(self, log: EventLog, limits: TailLimits, report: DutyLog) -> None:
        self._log = log
        self._limits = limits
        self._duty = Duty("watching", self._pass, report, every_s=limits.poll_s)
        self._admitted = 0
        self._subscriptions: set[Subscription] = set()
        self._starting: list[Subscription] = []
        """Those that were there when the present way began: its goal is not before the time that they came."""
        self._position: Position | None = None
        self._wanted = asyncio.Event()
        self._closed = False

    @property
    def watches(self) -> int:
        """Watches that are open."""
        return self._admitted

    def wake(self) -> None:
        """Something was committed: looks soon."""
        self._duty.wake()

    def close(self) -> None:
        """Ends every watch, and refuses new ones; they go on at another replica."""
        self._closed = True
        self._end_all(_draining())

    def require_open(self) -> None:
        """Raises ServiceError SHUTTING_DOWN once the service ends."""
        if self._closed:
            raise _draining()

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Counts a watch. Raises ServiceError TOO_MANY_WATCHES or SHUTTING_DOWN."""
        self.require_open()
        if self._admitted >= self._limits.watches:
            raise _too_many(self._limits.watches)
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    @contextmanager
    def subscribed(self, wanted: EventFilter) -> Iterator[Subscription]:
        """A subscription that starts with the next look."""
        self.require_open()
        subscription = Subscription(wanted, self._limits.buffer)
        self._subscriptions.add(subscription)
        self._wanted.set()
        self._duty.wake()
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            if not self._subscriptions:
                self._wanted.clear()
                self._position = None

    async def run(self) -> None:
        """Serves the watchers until cancelled."""
        await self._duty.run()

    async def _pass(self) -> None:
        await self._wanted.wait()
        try:
            await self.look()
        except Exception as failure:
            # Every watch raises it.
            self._end_all(failure)
            raise
        # However often it is woken.
        await asyncio.sleep(SHORTEST_PAUSE_S)

    async def look(self) -> None:
        """Reads what is new and hands it out; `run` does this again and again."""
        # Who comes during the look is not in the question, so it starts with the next one.
        asked = list(self._subscriptions)
        position = self._position or Position(await self._log.present())
        step = await self._log.follow(position, {each.wanted.account_id for each in asked}, self._limits.page)
        if position.until is None:
            self._starting = [each for each in asked if not each.is_live]
        handout = Handout(step.events)
        for each in asked:
            if each.is_live:
                each.take(step, handout)
        if step.position.until is None:
            for each in self._starting:
                each.start(step.position)
        if step.position.until is not None:
            self._duty.wake()
        self._position = step.position if self._subscriptions else None

    def _end_all(self, failure: Exception) -> None:
        for subscription in self._subscriptions:
            subscription.end(failure)
        self._position = None


def _too_slow(capacity: int) -> ServiceError:
    return ServiceError(
        Kind.OVERLOADED,
        reasons.WATCHER_TOO_SLOW,
        f"more than {capacity} events waited for this watcher; watch again from the last cursor that came, and take "
        "events faster or ask for fewer",
        retry_after=timedelta(seconds=1),
    )


def _too_many(limit: int) -> ServiceError:
    return ServiceError(
        Kind.OVERLOADED,
        reasons.TOO_MANY_WATCHES,
        f"this process serves {limit} watches already; watch again later, or let one watch serve several readers",
        retry_after=timedelta(seconds=5),
    )


def _draining() -> ServiceError:
    return ServiceError(
        Kind.UNAVAILABLE,
        reasons.SHUTTING_DOWN,
        "this process is ending; watch again from the last cursor that came",
        retry_after=timedelta(seconds=1),
    )
