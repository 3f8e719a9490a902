"""Times of keys at the terminal: how long something lasts, and when a key ends."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from sms_cli.shared.terminal_instants import parse_instant

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LENGTH: Final = re.compile(r"(\d{1,6})([smhd])", re.ASCII)


def parse_length(text: str) -> timedelta:
    """A length of time such as `90s`, `30m`, `24h`, `7d` or `0`; raises ValueError."""
    if text == "0":
        return timedelta()
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a length of time such as 90s, 30m, 24h or 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def parse_end(text: str) -> datetime:
    """An instant with its offset from UTC, or a length of time from now on; raises ValueError."""
    return datetime.now(UTC) + parse_length(text) if _LENGTH.fullmatch(text) else parse_instant(text)
