"""How long a caller of REST waits for the carrier: `Prefer: wait=2` (RFC 7240).

The gateway cannot see the time-out of a client. One that is shorter than `GATEWAY_OUTCOME_WAIT_S` says so, and is
answered with the pending entry in time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration

NAME = "Prefer"
_HEADER = b"prefer"
_WAIT = re.compile(rb"(?:^|,)\s*wait\s*=\s*(?:(\d{1,9})|\"(\d{1,9})\")\s*(?=[;,]|$)", re.IGNORECASE)


class PreferredWait:
    """Reads the header of a request; a wait longer than the gateway's own is not granted."""

    def __init__(self, longest_s: float) -> None:
        self._longest_ms = round(longest_s * 1_000)
        self._longest = Duration()
        self._longest.FromMilliseconds(self._longest_ms)

    def of(self, headers: Iterable[tuple[bytes, bytes]]) -> Duration:
        """The wait to ask for. A preference that cannot be read is none, as the RFC has it."""
        for name, value in headers:
            if name == _HEADER and (match := _WAIT.search(value)):
                wait = Duration()
                wait.FromMilliseconds(min(int(match[1] or match[2]) * 1_000, self._longest_ms))
                return wait
        return self._longest
