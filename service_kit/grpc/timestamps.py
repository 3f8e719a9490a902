"""Timestamps of protobuf from and to aware datetimes in UTC, to the microsecond that the databases keep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND: Final = -62_135_596_800
_LAST_SECOND: Final = 253_402_300_799
"""0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, the range of google.protobuf.Timestamp."""
_SECOND_NS: Final = 1_000_000_000


def to_timestamp(instant: datetime) -> Timestamp:
    """The wire form of an aware datetime."""
    # Entries have three or four each; Timestamp.FromDatetime goes by way of a calendar and takes three times as long.
    since = instant - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def to_datetime(stamp: Timestamp) -> datetime:
    """The instant in UTC, cut to the microsecond. Raises ValueError when the message is out of its own range."""
    if not _FIRST_SECOND <= stamp.seconds <= _LAST_SECOND or not 0 <= stamp.nanos < _SECOND_NS:
        raise ValueError("the timestamp is outside the years 1 to 9999, or its nanoseconds are not 0 to 999,999,999")
    return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1_000)
