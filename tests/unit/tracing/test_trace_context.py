"""Which traceparents name a sampled span."""

from __future__ import annotations

import pytest

from service_kit.tracing.trace_context import TraceContext, from_octets, from_traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CONTEXT = TraceContext(bytes.fromhex(TRACE), bytes.fromhex(SPAN))


@pytest.mark.parametrize(
    "header", [f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-ff", f"cc-{TRACE}-{SPAN}-01-what-is-new"]
)
def test_a_sampled_one_is_read(header: str) -> None:
    assert from_traceparent(header) == from_traceparent(header.encode()) == CONTEXT


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "garbage",
        f"00-{TRACE}-{SPAN}-00",
        f"00-{TRACE}-{SPAN}-02",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\n",
        f" 00-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01-{'x' * 300}",
        b"\xff" * 55,
    ],
)
def test_anything_else_is_none(header: str | bytes | None) -> None:
    assert from_traceparent(header) is None


def test_what_is_written_is_read_again() -> None:
    assert from_traceparent(CONTEXT.traceparent) == from_octets(CONTEXT.octets) == CONTEXT
    assert from_octets(None) is from_octets(b"\1" * 16) is from_octets(bytes(24)) is None
