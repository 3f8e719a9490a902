"""PostgreSQL connections, and what their failures mean."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool

from service_kit import trips
from service_kit.database_errors import RETRYABLE, database_unavailable, is_session_spent, refused_write
from service_kit.trips import BEGIN, COMMIT, ROLLBACK, Rows, Statement, Step, is_stale_plan

Connection = trips.Connection

FORGOTTEN_S = 5.0
"""How long the server keeps a transaction open whose process says nothing: one that stands still in the middle of a
transaction holds up all others that need the rows it locked. Longer than any pause of one that is only busy."""

KEPT_ALIVE: Mapping[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A host that vanishes says nothing at all: the kernel ends such a connection 10 s after what it sent last, or 25 s
after what it heard last. Without effect on Unix sockets."""

REFUSED_FOR_S = 10.0
"""How long a write that was refused counts as the state of the database: questions that write nothing get an answer all
the while, so only another write can show that it is over."""
ALIVE_WITHIN_S = 2.0
RENEWED_EVERY_S = 1.0
ROLLED_BACK_WITHIN_S = 5.0
"""Who leaves a transaction waits no longer than this for its end; closing the connection ends it, too."""

_ALIVE = Statement("SELECT 1")()


class Pool(AsyncConnectionPool[Connection]):
    """A pool that knows what its connections are refused."""

    _refusal: tuple[str, float] | None = None
    _renewed_at = float("-inf")

    async def renew(self) -> None:
        """Closes all connections without asking them anything, and makes new ones; not twice within a moment."""
        if time.monotonic() - self._renewed_at < RENEWED_EVERY_S:
            return
        self._renewed_at = time.monotonic()
        await self.drain()

    def note(self, error: BaseException) -> None:
        """Remembers a failure that says something of the server, not of the statement."""
        problem = refused_write(error)
        if problem is not None:
            self._refusal = (problem, time.monotonic())

    @property
    def refusal(self) -> str | None:
        """Why a write was refused a short time ago, in words for an operator; None when none was."""
        if self._refusal is None or time.monotonic() - self._refusal[1] > REFUSED_FOR_S:
            return None
        return self._refusal[0]


async def is_alive(connection: Connection) -> None:
    """Raises OperationalError, and closes the connection, unless the server answers on it soon."""
    await connection.trip(_ALIVE, within_s=ALIVE_WITHIN_S)


def create_pool(
    url: str,
    application: str,
    *,
    min_size: int = 1,
    max_size: int = 10,
    timeout_s: float = 5.0,
    parallel: bool = True,
    forgotten_s: float = FORGOTTEN_S,
    seldom: bool = False,
    by_key: bool = False,
) -> Pool:
    """A pool that is not open yet.

    `timeout_s` bounds the wait for a connection; a statement runs for 30 s at most, and without `parallel` on one
    processor of the server only. `forgotten_s`: for pools whose transactions may work longer between two statements.
    `seldom`: for pools whose connections rest for long. Each is tried before it is handed out, as those that a restart
    of the server cut off would each fail one caller. `by_key`: for pools whose statements find a few rows of large
    tables. Plans that were made while a table was small, or seemed empty as a queue does, read all of it, and are kept
    until it is analyzed: such a pool reads no table whole that has an index for the question.
    """
    options = f"-c timezone=UTC -c statement_timeout={round(trips.STATEMENT_TIMEOUT_S * 1000)}"
    options += f" -c idle_in_transaction_session_timeout={round(forgotten_s * 1000)}"
    if not parallel:
        options += " -c max_parallel_workers_per_gather=0"
    if by_key:
        options += " -c enable_seqscan=off"
    parameters: dict[str, Any] = {
        **KEPT_ALIVE,
        "application_name": application,
        "connect_timeout": 5,
        "options": options,
        "autocommit": True,
    }
    return Pool(
        url,
        connection_class=Connection,
        kwargs=parameters,
        min_size=min_size,
        max_size=max_size,
        timeout=timeout_s,
        reconnect_timeout=5.0,
        check=is_alive if seldom else None,
        open=False,
    )


def _require_open(connection: Connection) -> None:
    # COMMIT of a failed transaction is a silent rollback.
    if connection.info.transaction_status is not TransactionStatus.INTRANS:
        raise psycopg.InterfaceError("the transaction broke before its end")


@asynccontextmanager
async def _lent(pool: Pool) -> AsyncIterator[Connection]:
    """A connection of the pool; one that turns out to be of no more use does not go back to it.

    Raises the ServiceError DATABASE_UNAVAILABLE when the database cannot be used.
    """
    try:
        async with pool.connection() as connection:
            try:
                yield connection
            except psycopg.Error as error:
                if is_session_spent(error):
                    connection.pgconn.finish()
                raise
    except RETRYABLE as error:
        pool.note(error)
        raise database_unavailable(error) from error
    except psycopg.errors.FeatureNotSupported as error:
        if not is_stale_plan(error):
            raise
        raise database_unavailable(error) from error


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A connection inside a transaction: committed at the end, rolled back when the body raises.

    Raises the ServiceError DATABASE_UNAVAILABLE when the server is away.
    """
    async with _lent(pool) as connection:
        await connection.trip(BEGIN)
        try:
            yield connection
            _require_open(connection)
        except BaseException:
            if connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                await connection.trip(ROLLBACK, within_s=ROLLED_BACK_WITHIN_S)
            raise
        await connection.trip(COMMIT)


class Transaction:
    """A transaction that begins with its first step, and can end with its last, without round trips of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._has_begun = False

    @property
    def connection(self) -> Connection:
        """For what is rarely done in it; to be used after the first step."""
        _require_open(self._connection)
        return self._connection

    async def run(self, *steps: Step) -> list[Rows]:
        """The rows of some statements, which run one after another in one round trip."""
        if self._has_begun:
            _require_open(self._connection)
            return await self._connection.trip(*steps)
        self._has_begun = True
        return (await self._connection.trip(BEGIN, *steps))[1:]

    async def run_last(self, *steps: Step) -> list[Rows]:
        """The rows of the last statements, which are committed when they are here.

        They are committed also when the process dies before it has read them: not for what somebody must then act on.
        """
        if not self._has_begun:
            return await self._connection.trip(*steps)
        _require_open(self._connection)
        return (await self._connection.trip(*steps, COMMIT))[:-1]


@asynccontextmanager
async def quick_transaction(pool: Pool) -> AsyncIterator[Transaction]:
    """A transaction in few round trips: committed at the end at the latest, rolled back when the body raises.

    Raises the ServiceError DATABASE_UNAVAILABLE when the server is away.
    """
    async with _lent(pool) as connection:
        try:
            yield Transaction(connection)
        except BaseException:
            if connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                await connection.trip(ROLLBACK, within_s=ROLLED_BACK_WITHIN_S)
            raise
        if connection.info.transaction_status is not TransactionStatus.IDLE:
            _require_open(connection)
            await connection.trip(COMMIT)


@asynccontextmanager
async def single_statement(pool: Pool) -> AsyncIterator[Connection]:
    """A connection on which each statement is a transaction of its own.

    Raises the ServiceError DATABASE_UNAVAILABLE when the server is away.
    """
    async with _lent(pool) as connection:
        yield connection
