"""Instants between JSON and the wire: RFC 3339 with an offset in, UTC with a `Z` out."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from gateway_http.shared import reasons
from service_kit.errors import Violation
from service_kit.grpc.timestamps import to_datetime, to_timestamp

EXAMPLE = "2024-12-20T12:00:00Z"
_RFC_3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(?:([Zz])|([+-](?:[01]\d|2[0-3]):[0-5]\d))?", re.ASCII
)


def instant(timestamp: Timestamp) -> datetime:
    """The instant in UTC, to the microsecond; rendered as `…T08:00:00Z` or `…T08:00:00.250000Z`."""
    return to_datetime(timestamp)


def timestamp(text: str, field: str) -> Timestamp | Violation:
    """The instant that an RFC 3339 text names, to the microsecond, or what is wrong with the text.

    An offset is required: a time without one is another instant in Nairobi than in London.
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        return Violation(field, reasons.INVALID_TIMESTAMP, f"is not an RFC 3339 time; write it like {EXAMPLE}")
    date, clock, fraction, zulu, offset = match.groups()
    if not zulu and not offset:
        return Violation(
            field,
            reasons.NAIVE_TIMESTAMP,
            "has no time zone; append Z for UTC or the offset, for instance +03:00 for Nairobi",
        )
    microseconds = (fraction or "")[:6].ljust(6, "0")
    try:
        parsed = datetime.fromisoformat(f"{date}T{clock}.{microseconds}{offset or '+00:00'}").astimezone(UTC)
    except (ValueError, OverflowError):
        return Violation(
            field,
            reasons.INVALID_TIMESTAMP,
            f"names a date, time or offset that does not exist; write it like {EXAMPLE}",
        )
    return to_timestamp(parsed)
