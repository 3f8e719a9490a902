"""What failures of PostgreSQL mean: the words for callers and operators, and which sessions are of no more use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from service_kit import reasons
from service_kit.errors import Kind, ServiceError
from service_kit.postgres.guards import UnguardedError
from service_kit.postgres.pipeline import is_stale_plan

READ_ONLY: Final = "the database is read-only"
NO_ROOM: Final = "the database has no room left on its disk"
NO_RIGHTS: Final = "the database refuses this service a right that it needs"

RETRYABLE: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    PoolTimeout,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.InsufficientPrivilege,
)
"""What is raised when the server is away, restarting, read-only or full, when it refuses a right, or when it chose this
transaction to break a deadlock."""

_AWAY: Final = "the database cannot be reached"
_WORDS: Final = {
    "25006": READ_ONLY,
    "42501": NO_RIGHTS,
    "53100": NO_ROOM,
    "53200": "the database has no memory left",
    "53300": "the database takes no more connections",
    "57014": "the database took too long",
    "58030": "the database cannot read or write its files",
    "40001": "the database is too busy with the same rows",
    "40P01": "the database is too busy with the same rows",
}
_REFUSED_WRITES: Final = frozenset({"42501", "53100", "58030"})


def problem_of(error: BaseException | None) -> str:
    """What is wrong, in words for an operator: half a sentence."""
    if isinstance(error, UnguardedError):
        return str(error)
    if isinstance(error, PoolTimeout):
        # Why a pool had no connection to give is not known.
        return f"{_AWAY}, or all connections to it are in use"
    sqlstate = error.sqlstate if isinstance(error, psycopg.Error) else None
    return _WORDS.get(sqlstate or "", _AWAY)


def refused_write(error: BaseException) -> str | None:
    """In words, what keeps the server from writing although it answers; None for any other failure.

    A question without a write does not show that it is over.
    """
    is_refusal = isinstance(error, psycopg.Error) and error.sqlstate in _REFUSED_WRITES
    return problem_of(error) if is_refusal else None


@contextmanager
def migrated_tables() -> Iterator[None]:
    """Raises the ServiceError DATABASE_NOT_READY for statements about tables that are not there yet."""
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise ServiceError(
            Kind.UNAVAILABLE,
            reasons.DATABASE_NOT_READY,
            "the database is not set up: run `tukupay-sms migrate`, then try again",
        ) from error


def is_session_spent(error: BaseException) -> bool:
    """Whether the session that raised this must not be used again.

    A session that is read-only may lead to a former primary, and stays there for as long as it is kept; one whose plans
    are stale fails each time that it runs them.
    """
    return isinstance(error, psycopg.errors.ReadOnlySqlTransaction) or is_stale_plan(error)


def database_unavailable(cause: BaseException | None = None) -> ServiceError:
    """The error for callers while PostgreSQL cannot be used. `cause`: what was raised.

    DATABASE_NOT_READY when its sessions lack their guards, otherwise DATABASE_UNAVAILABLE.
    """
    if isinstance(cause, UnguardedError):
        return ServiceError(Kind.UNAVAILABLE, reasons.DATABASE_NOT_READY, cause.public)
    return ServiceError(
        Kind.UNAVAILABLE,
        reasons.DATABASE_UNAVAILABLE,
        f"{problem_of(cause)}; try again shortly",
        retry_after=timedelta(seconds=2),
    )
