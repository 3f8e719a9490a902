"""Failures are counted by the class of their SQLSTATE, wherever in the chain of causes it is."""

from __future__ import annotations

import psycopg
import pytest
from prometheus_client.registry import CollectorRegistry
from psycopg_pool import PoolTimeout

from service_kit.duties.duty_failures import DutyFailures
from service_kit.errors import Kind, ServiceError
from service_kit.postgres.database_errors import database_unavailable
from service_kit.postgres.error_counts import CLASSES, DatabaseErrors, sqlstate_class


def caused_by(cause: Exception) -> ServiceError:
    error = database_unavailable(cause)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.errors.DiskFull(), "53"),
        (caused_by(psycopg.errors.DiskFull()), "53"),
        (caused_by(psycopg.errors.ReadOnlySqlTransaction()), "25"),
        (psycopg.errors.lookup("XX002")(), "XX"),
        (psycopg.errors.lookup("0A000")(), "other"),
        (psycopg.OperationalError("the connection is lost"), "none"),
        (caused_by(PoolTimeout()), "none"),
        (ServiceError(Kind.INVALID, "INVALID", "wrong"), None),
        (ValueError(), None),
        (None, None),
    ],
)
def test_the_class_of_a_failure(error: Exception | None, expected: str | None) -> None:
    assert sqlstate_class(error) == expected


def test_only_failures_of_a_database_are_counted_and_all_classes_are_there_before() -> None:
    registry = CollectorRegistry()
    errors = DatabaseErrors(registry, ["duty"])

    def count(sqlstate_class: str) -> float | None:
        labels = {"work": "duty", "sqlstate_class": sqlstate_class}
        return registry.get_sample_value("tukupay_database_errors_total", labels)

    assert [count(each) for each in (*CLASSES, "none", "other")] == [0.0] * (len(CLASSES) + 2)
    failures = DutyFailures(registry, ["sweep"], lambda error: errors.note("duty", error))
    failures.upkeep_failed("sweep", caused_by(psycopg.errors.DeadlockDetected()))
    failures.upkeep_crashed("sweep", psycopg.errors.UndefinedTable())
    failures.upkeep_crashed("sweep", ValueError())
    assert (count("40"), count("42"), count("none"), count("other")) == (1, 1, 0, 0)
    assert registry.get_sample_value("tukupay_duty_failures_total", {"duty": "sweep"}) == 3
