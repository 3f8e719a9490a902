"""Which sampled request a measured value belongs to, so that a slow one can be looked up among the traces."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from service_kit.tracing.span import current_span
from service_kit.tracing.trace_context import TraceContext, from_octets

_SERVED: Final[ContextVar[TraceContext | None]] = ContextVar("served", default=None)


def exemplar() -> dict[str, str]:
    """Labels for what is measured inside the present span: its trace id; empty when there is no span."""
    span = current_span()
    return {} if span is None else _labels(span.context)


def note_served(context: TraceContext) -> None:
    """Says that the call which this task serves has a span: what is measured of it is measured after its end."""
    _SERVED.set(context)


def served_exemplar() -> dict[str, str]:
    """Labels for a call that this task served: its trace id; empty for one that had no span."""
    context = _SERVED.get()
    return {} if context is None else _labels(context)


def stored_exemplar(octets: bytes | None) -> dict[str, str]:
    """Labels for what a stored span is about: its trace id; empty for None."""
    context = from_octets(octets)
    return {} if context is None else _labels(context)


def _labels(context: TraceContext) -> dict[str, str]:
    return {"trace_id": context.trace_id.hex()}
