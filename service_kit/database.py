"""PostgreSQL connections, and what their failures mean."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from service_kit import trips
from service_kit.errors import Kind, ServiceError
from service_kit.trips import BEGIN, COMMIT, ROLLBACK, Rows, Step

Connection = trips.Connection
Pool = AsyncConnectionPool[Connection]

FORGOTTEN_S = 5.0
"""How long the server keeps a transaction open whose process says nothing: one that stands still in the middle of a
transaction holds up all others that need the rows it locked. Longer than any pause of one that is only busy."""

RETRYABLE = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)
"""What is raised when the server is away, restarting, or chose this transaction to break a deadlock."""


def database_unavailable(cause: Exception | None = None) -> ServiceError:
    """The error for callers while PostgreSQL cannot be used.

    `cause`: what was raised; of a pool that had no connection to give it cannot be told why.
    """
    problem = "the database cannot be reached"
    if isinstance(cause, PoolTimeout):
        problem = "the database cannot be reached, or all connections to it are in use"
    return ServiceError(
        Kind.UNAVAILABLE,
        "DATABASE_UNAVAILABLE",
        f"{problem}; try again shortly",
        retry_after=timedelta(seconds=2),
    )


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
    options = "-c timezone=UTC -c statement_timeout=30000"
    options += f" -c idle_in_transaction_session_timeout={round(forgotten_s * 1000)}"
    if not parallel:
        options += " -c max_parallel_workers_per_gather=0"
    if by_key:
        options += " -c enable_seqscan=off"
    parameters: dict[str, Any] = {
        "application_name": application,
        "connect_timeout": 5,
        "options": options,
        "autocommit": True,
    }
    return AsyncConnectionPool(
        url,
        connection_class=Connection,
        kwargs=parameters,
        min_size=min_size,
        max_size=max_size,
        timeout=timeout_s,
        reconnect_timeout=5.0,
        check=AsyncConnectionPool.check_connection if seldom else None,
        open=False,
    )


def _require_open(connection: Connection) -> None:
    # COMMIT of a failed transaction is a silent rollback.
    if connection.info.transaction_status is not TransactionStatus.INTRANS:
        raise psycopg.InterfaceError("the transaction broke before its end")


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A connection inside a transaction: committed at the end, rolled back when the body raises.

    Raises the ServiceError DATABASE_UNAVAILABLE when the server is away.
    """
    try:
        async with pool.connection() as connection:
            await connection.trip(BEGIN)
            try:
                yield connection
                _require_open(connection)
            except BaseException:
                if connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                    await connection.trip(ROLLBACK)
                raise
            await connection.trip(COMMIT)
    except RETRYABLE as error:
        raise database_unavailable(error) from error


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
    try:
        async with pool.connection() as connection:
            try:
                yield Transaction(connection)
            except BaseException:
                if connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                    await connection.trip(ROLLBACK)
                raise
            if connection.info.transaction_status is not TransactionStatus.IDLE:
                _require_open(connection)
                await connection.trip(COMMIT)
    except RETRYABLE as error:
        raise database_unavailable(error) from error


@asynccontextmanager
async def single_statement(pool: Pool) -> AsyncIterator[Connection]:
    """A connection on which each statement is a transaction of its own.

    Raises the ServiceError DATABASE_UNAVAILABLE when the server is away.
    """
    try:
        async with pool.connection() as connection:
            yield connection
    except RETRYABLE as error:
        raise database_unavailable(error) from error


async def is_reachable(pool: Pool) -> bool:
    """Whether a trivial query gets an answer."""
    try:
        async with pool.connection(timeout=2.0) as connection:
            await connection.execute("SELECT 1")
    except RETRYABLE:
        return False
    return True
