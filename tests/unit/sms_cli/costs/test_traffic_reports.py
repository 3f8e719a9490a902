"""How reports are asked for at the terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sms_cli.costs.cost_reports import days

MONDAY = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(("hours", "pieces"), [(1, 1), (24, 1), (25, 2), (72, 3), (0, 1), (-5, 1)])
def test_a_period_is_audited_day_by_day_without_gap_or_overlap(hours: int, pieces: int) -> None:
    end = MONDAY + timedelta(hours=hours)
    found = list(days(MONDAY, end))
    assert len(found) == pieces
    assert [first for first, _ in found] == [MONDAY, *(after for _, after in found[:-1])]
    assert found[-1][1] == end
