"""What failures of statements mean."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

import psycopg

from messaging_service.shared.domain import reasons
from service_kit.errors import Kind, ServiceError
from service_kit.postgres.database import Connection, Transaction

Opened = TypeVar("Opened", Connection, Transaction)


class StatementFailedError(Exception):
    """A statement failed for a reason that nothing foresaw. Names SQLSTATE and constraint, never the data."""


@asynccontextmanager
async def migrated(opened: AbstractAsyncContextManager[Opened]) -> AsyncIterator[Opened]:
    """The connection or transaction that was opened, with its failures turned into what callers may see.

    Raises the ServiceError DATABASE_NOT_READY while the tables are not there.
    """
    try:
        async with opened as it:
            yield it
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise ServiceError(
            Kind.UNAVAILABLE,
            reasons.DATABASE_NOT_READY,
            "the messaging database is not set up: run `tukupay-sms migrate`, then try again",
        ) from error
    except psycopg.Error as error:
        # Its own words quote the row at fault, with text and number, and would end in a log.
        raise StatementFailedError(error.sqlstate, error.diag.constraint_name) from None
