"""PostgreSQL connections, and what their failures mean."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import capabilities
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from service_kit.postgres import pipeline
from service_kit.postgres.database_errors import RETRYABLE, database_unavailable, is_session_spent, refused_write
from service_kit.postgres.guards import Guards, SessionCheck, UnguardedError
from service_kit.postgres.pipeline import BEGIN, COMMIT, ROLLBACK, Rows, Statement, Step, is_stale_plan

Connection = pipeline.Connection

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

UNGUARDED_S = 0.2
"""How often those who wait for a connection look whether new ones lack their guards, before the first one has them."""

WHOLE_TABLES = (
    Statement("SET LOCAL enable_seqscan = on")(),
    # PostgreSQL's own default.
    Statement("SET LOCAL max_parallel_workers_per_gather = 2")(),
)
"""First steps of a transaction that reads large parts of tables, as reports do: guards may suit finding single rows."""

_ALIVE = Statement("SELECT 1")()


class Pool(AsyncConnectionPool[Connection]):
    """A pool that knows what its connections are refused, and gives none whose session lacks its guards."""

    _refusal: tuple[str, float] | None = None
    _renewed_at = float("-inf")

    def __init__(self, url: str, *, guards: Guards, patience_s: float = pipeline.PATIENCE_S, **options: Any) -> None:  # noqa: ANN401 - psycopg's own
        super().__init__(url, configure=self._configured, **options)
        self._guards = SessionCheck(guards)
        self._patience_s = patience_s
        self._is_proven = False
        self.unguarded: UnguardedError | None = None
        """Why the newest connection is not used; None when it is."""

    async def check_guards(self, connection: Connection) -> None:
        """Looks again at a connection, which a pooler may have given another session. Raises UnguardedError."""
        await self._guards.require(connection, within_s=ALIVE_WITHIN_S)

    async def _configured(self, connection: Connection) -> None:
        try:
            connection.patience_s = self._patience_s
            await self.check_guards(connection)
            self._is_proven, self.unguarded = True, None
        except BaseException as error:
            if isinstance(error, UnguardedError):
                self._is_proven, self.unguarded = False, error
            connection.pgconn.finish()
            raise

    async def getconn(self, timeout: float | None = None) -> Connection:  # noqa: ASYNC109 - psycopg's own
        """A connection. Raises PoolTimeout, or UnguardedError as soon as that is why there is none."""
        left_s = self.timeout if timeout is None else timeout
        while not self._is_proven:
            try:
                return await super().getconn(min(left_s, UNGUARDED_S))
            except PoolTimeout as error:
                left_s -= UNGUARDED_S
                if self.unguarded is not None:
                    raise UnguardedError(str(self.unguarded), self.unguarded.public) from error
                if left_s <= 0:
                    raise
        return await super().getconn(left_s)

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


def session_parameters(url: str, application: str) -> dict[str, Any]:
    """What a connection is made with, apart from what its URL says itself."""
    said = conninfo_to_dict(url)
    ours = {**KEPT_ALIVE, "application_name": application, "connect_timeout": 5}
    return {name: value for name, value in ours.items() if name not in said} | {"autocommit": True}


def create_pool(
    url: str,
    application: str,
    *,
    guards: Guards | None = None,
    min_size: int = 1,
    max_size: int = 10,
    timeout_s: float = 5.0,
    patience_s: float = pipeline.PATIENCE_S,
    seldom: bool = False,
) -> Pool:
    """A pool that is not open yet.

    `guards`: what each of its sessions must have, which `migrate` gives the role; None asks for nothing, in tests.
    `timeout_s` bounds the wait for a connection, `patience_s` that for the answer to a statement: longer than the
    longest that its transactions allow the server. `seldom`: for pools whose connections rest for long. Each is tried
    before it is handed out, as those that a restart of the server cut off would each fail one caller.
    """
    # Without this, psycopg drops statements by SQL, which a pooler does not understand.
    prepare_threshold = 5 if capabilities.has_send_close_prepared() else None
    return Pool(
        url,
        guards=guards or {},
        patience_s=patience_s,
        connection_class=Connection,
        kwargs=session_parameters(url, application) | {"prepare_threshold": prepare_threshold},
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
async def transaction(pool: Pool, *first: Step) -> AsyncIterator[Connection]:
    """A connection inside a transaction: committed at the end, rolled back when the body raises.

    `first`: statements that give no rows, such as WHOLE_TABLES, in the round trip that begins it. Raises the
    ServiceError DATABASE_UNAVAILABLE when the server is away.
    """
    async with _lent(pool) as connection, begun(connection, *first):
        yield connection


@asynccontextmanager
async def begun(connection: Connection, *first: Step) -> AsyncIterator[Connection]:
    """A transaction on a connection that is lent already; as `transaction`."""
    try:
        await connection.trip(BEGIN, *first)
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
