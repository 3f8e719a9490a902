"""Months of Nairobi as periods."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from service_kit.months import month


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-10", datetime(2026, 9, 30, 21, tzinfo=UTC), datetime(2026, 10, 31, 21, tzinfo=UTC)),
        ("2026-12", datetime(2026, 11, 30, 21, tzinfo=UTC), datetime(2026, 12, 31, 21, tzinfo=UTC)),
        ("2028-02", datetime(2028, 1, 31, 21, tzinfo=UTC), datetime(2028, 2, 29, 21, tzinfo=UTC)),
        ("0002-01", datetime(1, 12, 31, 21, tzinfo=UTC), datetime(2, 1, 31, 21, tzinfo=UTC)),
        ("9999-11", datetime(9999, 10, 31, 21, tzinfo=UTC), datetime(9999, 11, 30, 21, tzinfo=UTC)),
    ],
)
def test_a_month_begins_at_midnight_in_nairobi(text: str, start: datetime, end: datetime) -> None:
    assert month(text) == (start, end)


@pytest.mark.parametrize(
    "text", ["", "2026-00", "2026-13", "2026-1", "26-10", "2026/10", " 2026-10", "٢٠٢٦-10", "0001-01"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a month such as 2026-10"):
        month(text)
