"""What follows a sampled request from process to process: the ids of its trace and of a span of it.

Only sampled ones travel. A request that is not sampled has no context, and costs nothing.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

HEADER: Final = "traceparent"
"""Of HTTP, of gRPC metadata and of a CloudEvent (W3C Trace Context)."""
TRACE_ID_OCTETS: Final = 16
_OCTETS: Final = TRACE_ID_OCTETS + 8
# A later version may have more fields behind those of version 00, which has none.
_TRACEPARENT: Final = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_LONGEST: Final = 256


class TraceContext(NamedTuple):
    """A span that was sampled, as others refer to it."""

    trace_id: bytes
    """16 octets, not all of them 0."""
    span_id: bytes
    """8 octets, not all of them 0."""

    @property
    def octets(self) -> bytes:
        """How it is stored: the trace's id, and behind it the span's."""
        return self.trace_id + self.span_id

    @property
    def traceparent(self) -> str:
        """How it goes to others, with the flag that it is sampled."""
        return f"00-{self.trace_id.hex()}-{self.span_id.hex()}-01"


def from_octets(octets: bytes | None) -> TraceContext | None:
    """What was stored; None for None, and for what is no context."""
    if octets is None or len(octets) != _OCTETS:
        return None
    return _valid(octets[:TRACE_ID_OCTETS], octets[TRACE_ID_OCTETS:])


def from_traceparent(header: str | bytes | None) -> TraceContext | None:
    """The sampled span that a header names; None for one that is not sampled, and for anything else."""
    if not header or len(header) > _LONGEST:
        return None
    text = header.decode("latin-1") if isinstance(header, bytes) else header
    match = _TRACEPARENT.fullmatch(text)
    if match is None or not int(match[4], 16) & 1 or (match[1] == "00" and match[5] is not None):
        return None
    return _valid(bytes.fromhex(match[2]), bytes.fromhex(match[3]))


def _valid(trace_id: bytes, span_id: bytes) -> TraceContext | None:
    return TraceContext(trace_id, span_id) if any(trace_id) and any(span_id) else None
