"""A standby of the database that may be read while it is near enough to the primary.

How old a standby's answer can be is found without a clock of the database and without writing anything: the place that
the primary's log has reached is noted again and again. A standby that has replayed a place shows every commit that was
answered before the place was noted. So a primary at rest makes nothing old, and one that cannot be asked makes
everything older by the second.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import psycopg
import structlog

from service_kit.errors import ServiceError
from service_kit.postgres.database import Connection, Pool, single_statement
from service_kit.postgres.pipeline import Statement

LOOKS_WITHIN_BOUND: Final = 5
"""How often the primary is looked at within the bound on staleness, at least."""
LONGEST_LOOK_S: Final = 1.0
ANSWERS_WITHIN_S: Final = 1.0
"""A server that takes longer to say where it is counts as away."""
KEPT: Final = 4_096
"""Places of the primary that are remembered; a standby behind the oldest of them has no known staleness."""

_WRITTEN: Final = Statement("SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint")()
_REPLAYED: Final = Statement(
    "SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint END"
)()

log = structlog.get_logger()


class BehindError(Exception):
    """A standby may not be read now: it is away, too far behind, or no standby any more."""


class StandbyProgress:
    """What is known of the primary's log and of how far a standby has replayed it."""

    def __init__(self, max_staleness_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.max_staleness_s: Final = max_staleness_s
        self.look_every_s: Final = min(LONGEST_LOOK_S, max_staleness_s / LOOKS_WITHIN_BOUND)
        self._clock = clock
        self._written: deque[tuple[float, int]] = deque(maxlen=KEPT)
        self._replayed: int | None = None
        self._is_used: bool | None = None

    def primary_wrote(self, place: int, at: float) -> None:
        """Notes a place of the primary's log; `at`: not after it was asked for."""
        if self._written and place < self._written[-1][1]:
            # Another server than before, which lost a part of the log: what was noted says nothing of it.
            self._written.clear()
        self._written.append((at, place))

    def standby_replayed(self, place: int | None) -> None:
        """Notes how far the standby is; None when it is away, or none any more."""
        self._replayed = place

    @property
    def staleness_s(self) -> float | None:
        """How old an answer of the standby may be; None when that is not known."""
        if self._replayed is None:
            return None
        for at, place in reversed(self._written):
            if place <= self._replayed:
                return self._clock() - at
        return None

    def needed(self) -> int:
        """The place that a standby must have replayed to be read. Raises BehindError when none would do."""
        staleness_s = self.staleness_s
        if staleness_s is None or staleness_s > self.max_staleness_s:
            raise BehindError
        oldest, enough = self._clock() - self.max_staleness_s, 0
        for at, place in reversed(self._written):
            if at < oldest:
                break
            enough = place
        return enough

    def log_changes(self) -> None:
        """Says in the log when the standby comes into use, and when it goes out of use."""
        staleness_s = self.staleness_s
        is_used = staleness_s is not None and staleness_s <= self.max_staleness_s
        if is_used != self._is_used:
            self._is_used = is_used
            if is_used:
                log.info("replica.used")
            else:
                log.warning("replica.not_used", staleness_s=None if staleness_s is None else round(staleness_s, 1))


class Standby:
    """Sessions on a standby, lent only while what they show is new enough."""

    def __init__(self, pool: Pool, progress: StandbyProgress) -> None:
        self.progress: Final = progress
        self._pool = pool

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Connection]:
        """A connection on which each statement is a transaction of its own.

        The server behind it is asked for its own place, as a URL may lead to several. Raises BehindError, and the
        ServiceError DATABASE_UNAVAILABLE.
        """
        needed = self.progress.needed()
        async with single_statement(self._pool) as connection:
            replayed = await _replayed(connection)
            if replayed is None or replayed < needed:
                raise BehindError
            yield connection

    def failed(self) -> None:
        """Keeps reads away from it until the next look finds it well."""
        self.progress.standby_replayed(None)
        self.progress.log_changes()

    async def look(self, primary: Pool, clock: Callable[[], float] = time.monotonic) -> float:
        """Notes how far both servers are; the seconds to the next look. Never fails."""
        try:
            asked_at = clock()
            async with single_statement(primary) as connection:
                ((written,),) = (await connection.trip(_WRITTEN, within_s=ANSWERS_WITHIN_S))[-1]
            self.progress.primary_wrote(written, asked_at)
        except (ServiceError, psycopg.Error) as error:
            log.debug("replica.primary_not_seen", error=type(error).__name__)
        try:
            async with single_statement(self._pool) as connection:
                self.progress.standby_replayed(await _replayed(connection))
        except (ServiceError, psycopg.Error) as error:
            log.debug("replica.not_seen", error=type(error).__name__)
            self.progress.standby_replayed(None)
        self.progress.log_changes()
        return self.progress.look_every_s


async def _replayed(connection: Connection) -> int | None:
    """How far the server behind a connection has replayed its primary's log; None when it is no standby."""
    ((replayed,),) = (await connection.trip(_REPLAYED, within_s=ANSWERS_WITHIN_S))[-1]
    return None if replayed is None else int(replayed)
