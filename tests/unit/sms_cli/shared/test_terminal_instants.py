"""Times at the terminal and in files."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sms_cli.shared.terminal_instants import parse_instant


@pytest.mark.parametrize(
    "text",
    ["2026-12-05T09:00:00Z", "2026-12-05T12:00:00+03:00", "2026-12-05 12:00+03", "20261205T120000+0300"],
)
def test_a_time_with_its_offset_is_read(text: str) -> None:
    assert parse_instant(text) == datetime(2026, 12, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["2026-12-05T12:00:00+03:60", "2026-12-05T12:00:00-00:99", "2026-12-05T12:00:00+0375", "2026-12-05T12+03:00:30"],
)
def test_an_offset_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="offset"):
        parse_instant(text)
