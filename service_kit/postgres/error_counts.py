"""Counts what PostgreSQL answered with when it did not do what it was asked, by the class of the SQLSTATE."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import psycopg
from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry

CLASSES: Final = ("08", "22", "23", "25", "40", "42", "53", "55", "57", "58", "XX")
"""As PostgreSQL numbers them: connection, data, constraint, transaction state, rollback, access or syntax, resources,
object state, operator intervention, system, internal error."""
NO_ANSWER: Final = "none"
"""The server said nothing: it cannot be reached, a connection broke, or no connection came free in time."""
OTHER: Final = "other"
CALL: Final = "call"
"""The work of a gRPC call that failed for its database."""
DUTY: Final = "duty"
"""The work of a pass of a background duty that did."""


def sqlstate_class(error: BaseException | None) -> str | None:
    """The class behind a failure, looked for along its causes; None when no database had a part in it."""
    while error is not None:
        if isinstance(error, psycopg.Error):
            state = error.sqlstate
            if state is None:
                return NO_ANSWER
            return state[:2] if state[:2] in CLASSES else OTHER
        # What is raised `from None`, as it must not be quoted, is still known.
        error = error.__cause__ or error.__context__
    return None


class DatabaseErrors:
    """`tukupay_database_errors_total`, by what was being done."""

    def __init__(self, registry: CollectorRegistry, works: Iterable[str]) -> None:
        """`works`: shown from the start with a nought, so that the first failure is a rise."""
        self._errors = Counter(
            "tukupay_database_errors",
            "Work that failed for its database, by the first two characters of the SQLSTATE.",
            ("work", "sqlstate_class"),
            registry=registry,
        )
        for work in works:
            for each in (*CLASSES, NO_ANSWER, OTHER):
                self._errors.labels(work, each)

    def note(self, work: str, error: BaseException) -> None:
        """Counts a failure, unless no database had a part in it."""
        found = sqlstate_class(error)
        if found is not None:
            self._errors.labels(work, found).inc()
