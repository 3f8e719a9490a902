"""Instants and durations between the wire and Python."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from pricing_service.domain import reasons
from service_kit.errors import Violation
from service_kit.grpc.timestamps import to_datetime

_SECOND_NS: Final = 1_000_000_000


def read_timestamp(field: str, value: Timestamp, violations: list[Violation]) -> datetime | None:
    """The instant, cut to the microsecond that the database keeps.

    None, with a violation appended, when the message is out of its own range.
    """
    try:
        return to_datetime(value)
    except ValueError:
        problem = "is no valid timestamp: seconds within the years 1 to 9999 and nanos from 0 to 999,999,999"
        violations.append(Violation(field, reasons.MALFORMED, problem))
        return None


def read_duration(
    field: str, value: Duration, bounds: tuple[timedelta, timedelta], violations: list[Violation]
) -> timedelta:
    """The duration; appends a violation when it is outside the bounds, both included."""
    low, high = bounds
    nanos = value.seconds * _SECOND_NS + value.nanos
    if not 0 <= abs(value.nanos) < _SECOND_NS or not (
        low.total_seconds() * _SECOND_NS <= nanos <= high.total_seconds() * _SECOND_NS
    ):
        problem = f"must be {low.total_seconds():g} to {high.total_seconds():g} s"
        violations.append(Violation(field, reasons.OUT_OF_RANGE, problem))
        return low
    return timedelta(microseconds=nanos // 1_000)
