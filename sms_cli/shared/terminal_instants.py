"""Instants at the terminal: RFC 3339 with an offset in, UTC out."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from service_kit.grpc.timestamps import to_datetime

# fromisoformat reads 60 minutes as one more hour.
_OFFSET = re.compile(r"(?:[Zz]|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)$", re.ASCII)


def parse_instant(text: str) -> datetime:
    """An instant with its offset from UTC; raises ValueError for anything else, naive times included."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time such as 2026-01-31T08:00:00Z") from None
    if instant.tzinfo is None:
        raise ValueError(
            f"{text!r} has no offset from UTC; write {instant.isoformat()}Z, or end it with +03:00 for Nairobi"
        )
    if not _OFFSET.search(text):
        raise ValueError(f"{text!r} has an offset from UTC that does not exist; write it like +03:00")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is outside the years 1 to 9999 in UTC") from None


def shown(message: Timestamp) -> str:
    """The instant for a person and for JSON, to the millisecond."""
    instant = to_datetime(message)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_second(message: Timestamp) -> str:
    """The instant to the second, where there is little room."""
    return to_datetime(message).isoformat(timespec="seconds").replace("+00:00", "Z")


def exact(message: Timestamp) -> str:
    """The instant with all its digits."""
    return to_datetime(message).isoformat().replace("+00:00", "Z")
