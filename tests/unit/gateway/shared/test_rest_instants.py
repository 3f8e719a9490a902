"""Times need a zone on the way in, and are UTC on the way out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_http.shared.rest_instants import instant, timestamp
from service_kit.errors import Violation

_ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_TIMES = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 30), timezones=_ZONES)  # noqa: DTZ001 - given a zone below


def parsed(text: str) -> Timestamp:
    result = timestamp(text, "effectiveFrom")
    assert isinstance(result, Timestamp)
    return result


@settings(deadline=None)
@given(_TIMES)
def test_a_time_is_the_same_instant_in_every_zone_and_back(time: datetime) -> None:
    assert instant(parsed(time.isoformat())) == time


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2024-12-13T00:00:00Z", "2024-12-13T00:00:00Z"),
        ("2024-12-13T03:00:00+03:00", "2024-12-13T00:00:00Z"),
        ("2024-12-13t00:00:00.25z", "2024-12-13T00:00:00.250000Z"),
        ("2024-12-13T00:00:00.000Z", "2024-12-13T00:00:00Z"),
        ("2024-12-13T00:00:00.123456789Z", "2024-12-13T00:00:00.123456Z"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500000Z"),
        ("2024-12-13T00:00:00-00:00", "2024-12-13T00:00:00Z"),
    ],
)
def test_times_are_shown_in_utc_with_a_fraction_only_when_there_is_one(text: str, shown: str) -> None:
    assert msgspec.json.encode(instant(parsed(text))) == f'"{shown}"'.encode()


@pytest.mark.parametrize("text", ["2024-12-20T12:00:00", "2024-12-20T12:00:00.5"])
def test_a_time_without_a_zone_is_refused_with_the_remedy(text: str) -> None:
    refused = timestamp(text, "scheduleTimestamp")
    assert isinstance(refused, Violation)
    assert (refused.field, refused.reason) == ("scheduleTimestamp", "NAIVE_TIMESTAMP")
    assert "append Z" in refused.description


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-12-05T12:00:00+03:60",
        "2026-12-05T12:00:00-00:99",
        "2026-12-05T12:00:00+24:00",
        "tomorrow",
        "2024-12-20",
        "2024-12-20 12:00:00Z",
        "2024-12-20T12:00Z",
        "2024-12-20T12:00:60Z",
        "2024-02-30T12:00:00Z",
        "0000-01-01T00:00:00Z",
        "2024-12-20T12:00:00+24:00",
        "2024-12-20T12:00:00+0300",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:59-10:00",
        "2024-12-20T12:00:00.Z",
        "٢٠٢٤-12-20T12:00:00Z",
        "1734696000",
    ],
)
def test_what_is_not_rfc_3339_is_refused(text: str) -> None:
    refused = timestamp(text, "effectiveFrom")
    assert isinstance(refused, Violation)
    assert refused.reason == "INVALID_TIMESTAMP"


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    assert isinstance(timestamp(text, "effectiveFrom"), Timestamp | Violation)


def test_an_instant_is_aware() -> None:
    assert instant(Timestamp(seconds=0, nanos=1_999)).tzinfo is UTC
    assert instant(Timestamp(seconds=0, nanos=1_999)).microsecond == 1
