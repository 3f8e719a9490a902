"""Following changes to the price book, also those made by other replicas."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NoReturn, Protocol

from pricing_service.domain import reasons
from pricing_service.domain.cost import Cost
from pricing_service.domain.edition import Edition
from pricing_service.domain.tier import Tier
from pricing_service.use_cases.cost_repository import Beat, CostRepository
from pricing_service.use_cases.own_changes import OwnChanges
from service_kit.errors import Kind, ServiceError

MAX_CHANGES: Final = 1_000
"""Rows in one piece of news; a watcher that is further behind gets several at once."""


@dataclass(frozen=True, slots=True)
class PriceNews:
    """One sign of life of the price book."""

    epoch: int
    """How many changes were recorded up to here."""
    now: datetime
    """When changes were last looked for, UTC, on the database's clock."""
    changes: tuple[Cost, ...] = ()
    """The rows recorded or withdrawn since the news before; empty when there were none."""


class Follower(OwnChanges, Protocol):
    """Notified of every look at the counter before any watcher is, and of own changes at once."""

    async def catch_up(self, beat: Beat, asked_at: float, answered_at: float) -> None:
        """Takes in all changes up to a look; the times are of the monotonic clock around it."""
        ...


class PriceWatch:
    """Looks at the epoch at short intervals while somebody watches, once for all watchers and the follower.

    Also implements OwnChanges: what this replica records is looked for at once, what others record within an
    interval.

    The follower comes first, so that a watcher that is notified of a change and asks again here is not given what was
    before it.

    A look needs no connection of its own and works through every kind of connection pooler. Watchers only
    learn that there is something new; each reads the rows after its own position, so that a slow one
    holds up nobody and costs no memory.
    """

    def __init__(
        self, costs: CostRepository, interval: timedelta, patience: timedelta, follower: Follower | None = None
    ) -> None:
        """`patience`: a look that takes longer counts as failed. A follower is kept up to date all the time."""
        self._costs = costs
        self._interval_s = interval.total_seconds()
        self._patience_s = patience.total_seconds()
        self._follower = follower
        self.watchers = 0
        """Watches that are open."""
        self.failures = 0
        """Looks that failed since the start."""
        self._wanted = asyncio.Event()
        if follower is not None:
            self._wanted.set()
        self._latest: Beat | None = None
        self._hurry = asyncio.Event()
        self._failure: Exception | None = None
        self._closed = False
        self._news = asyncio.Event()

    async def run(self) -> NoReturn:
        """Serves the watchers until cancelled."""
        while True:
            await self._wanted.wait()
            self._hurry.clear()
            await self._look()
            await _happens(self._hurry, asyncio.get_running_loop().time() + self._interval_s)

    def changed(self, edition: Edition, tiers: Sequence[Tier]) -> None:
        """Looks for changes without waiting for the end of the interval."""
        if self._follower is not None:
            self._follower.changed(edition, tiers)
        self._hurry.set()

    def close(self) -> None:
        """Ends every watch in good order, and later ones after their first news."""
        self._closed = True
        self._tell()

    async def watch(self, heartbeat: timedelta) -> AsyncGenerator[PriceNews, None]:
        """The present epoch first, then all changes, and the same epoch again after a silence of `heartbeat`.

        Raises ServiceError UNAVAILABLE as soon as the database cannot be asked: a heartbeat is a promise
        that nothing was missed. Ends when the service stops.
        """
        loop = asyncio.get_running_loop()
        opening = await self._ask()
        self._saw(opening)
        position = opening.edition.epoch
        # The answer just now outdates a failure before it.
        self._failure = None
        self.watchers += 1
        self._wanted.set()
        try:
            yield PriceNews(position, opening.now)
            silent_until = loop.time() + heartbeat.total_seconds()
            while not self._closed:
                news = self._news
                if self._failure is not None:
                    raise self._failure
                latest = self._latest or opening
                if latest.edition.epoch > position:
                    changes = await self._costs.changes_after(position, MAX_CHANGES)
                    position = changes[-1].epoch if changes else latest.edition.epoch
                    yield PriceNews(position, latest.now, tuple(change.cost for change in changes))
                elif await _happens(news, silent_until):
                    continue
                else:
                    yield PriceNews(position, (self._latest or opening).now)
                silent_until = loop.time() + heartbeat.total_seconds()
        finally:
            self.watchers -= 1
            if not self.watchers and self._follower is None:
                self._wanted.clear()

    async def _look(self) -> None:
        try:
            beat = await self._ask()
        except Exception as failure:  # noqa: BLE001 - raised again by every watch, which has a caller to tell
            self._failure = failure
            self.failures += 1
            self._tell()
            return
        self._failure = None
        self._saw(beat)

    def _saw(self, beat: Beat) -> None:
        before = self._latest
        if before is None or beat.now >= before.now:
            self._latest = beat
        if before is None or beat.edition.epoch > before.edition.epoch:
            self._tell()

    async def _ask(self) -> Beat:
        question = asyncio.ensure_future(self._look_at_counter())
        try:
            # Not a time-out on the question itself: cancelling a query to a silent server takes seconds.
            await asyncio.wait({question}, timeout=self._patience_s)
            if not question.done():
                raise _silent()
            return question.result()
        finally:
            question.cancel()

    async def _look_at_counter(self) -> Beat:
        asked_at = time.monotonic()
        beat = await self._costs.beat()
        if self._follower is not None:
            await self._follower.catch_up(beat, asked_at, time.monotonic())
        return beat

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


async def _happens(event: asyncio.Event, until: float) -> bool:
    """Whether the event is set before a time of the loop."""
    try:
        async with asyncio.timeout_at(until):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _silent() -> ServiceError:
    return ServiceError(
        Kind.UNAVAILABLE,
        reasons.DATABASE_UNAVAILABLE,
        "the database does not answer, so changes cannot be followed; watch again shortly",
        retry_after=timedelta(seconds=1),
    )
