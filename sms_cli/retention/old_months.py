"""The months in the database of messaging: they are removed by its owner, as services may drop no tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import psycopg
from psycopg.errors import InsufficientPrivilege, LockNotAvailable, UndefinedTable

from messaging_service.months.domain.month_rules import MonthVerdict
from messaging_service.months.postgres import month_removal
from messaging_service.months.postgres.month_removal import MonthInUseError, Removed
from service_kit.postgres.database_tls import url_problem
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import DATABASE_VARIABLES, DIRECT_VARIABLES

VARIABLE: Final = "SMS_MESSAGE_RETENTION_MONTHS"
_CONNECT_S: Final = 10


def months_kept(environment: Mapping[str, str]) -> int:
    """How many whole months are kept; 0 for all. Raises CommandError."""
    text = environment.get(VARIABLE) or "0"
    if not text.isdecimal() or int(text) > 1_200:
        raise CommandError(f"{VARIABLE} is not a number of months", "give a whole number from 0, which keeps all")
    return int(text)


def plan(environment: Mapping[str, str], keep: int) -> list[MonthVerdict]:
    """What is to become of each month. Raises CommandError when the database cannot be read."""
    with _connected(environment) as connection:
        return month_removal.plan(connection, datetime.now(UTC), keep)


def remove(environment: Mapping[str, str], keep: int, by: str) -> Iterator[Removed]:
    """Removes the months that may go; each partition as it is gone. Raises CommandError when it stops before."""
    with _connected(environment) as connection:
        yield from month_removal.remove(connection, datetime.now(UTC), keep, by=by)


@contextmanager
def _connected(environment: Mapping[str, str]) -> Iterator[psycopg.Connection]:
    variable = DATABASE_VARIABLES["messaging"]
    url = environment.get(DIRECT_VARIABLES["messaging"]) or environment.get(variable)
    if not url:
        raise CommandError("the database of messaging is not known", f"set {variable} to its URL")
    allowing = "MESSAGING_DATABASE_TLS"
    problem = None if environment.get(allowing) else url_problem(url, allowing)
    if problem is not None:
        raise CommandError("the way to the database of messaging is not protected", problem)
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_S) as connection:
            yield connection
    except UndefinedTable as error:
        raise CommandError("messages have no months yet", "run `tukupay-sms migrate`, then try again") from error
    except InsufficientPrivilege as error:
        raise CommandError(
            "this role may not do that to the tables of messages",
            f"set {DIRECT_VARIABLES['messaging']} to the URL of their owner, as for migrations",
        ) from error
    except LockNotAvailable as error:
        raise CommandError(
            "a table was in use whenever it was to be had for a moment",
            "run the command again: it goes on where it stopped",
        ) from error
    except MonthInUseError as error:
        raise CommandError(str(error), "run the command again once these messages have ended") from error
    except psycopg.Error as error:
        raise CommandError(
            f"the database of messaging answered with SQLSTATE {error.sqlstate or 'none'}",
            f"check that {variable} leads to it; the command goes on where it stopped when it is run again",
        ) from error
