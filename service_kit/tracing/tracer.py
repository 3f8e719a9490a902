"""Where spans begin that have no span in this process above them, and which requests are traced at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from service_kit.tracing.span import Attributes, Span, SpanKind
from service_kit.tracing.trace_context import TraceContext


class Tracer(Protocol):
    """There is one in a process whose tracing is on, and none (None) in others."""

    def samples(self) -> bool:
        """Whether a request that comes without a trace is traced from here on."""
        ...

    def followed(self, traceparent: str | bytes | None) -> TraceContext | None:
        """The sampled span that a caller names, if its trace is followed here.

        None for one that is not sampled, for what is no traceparent, and for one too many in this second.
        """
        ...

    def begin(
        self,
        name: str,
        kind: SpanKind,
        *,
        parent: TraceContext | None = None,
        links: Sequence[TraceContext] = (),
        attributes: Attributes | None = None,
        ago_s: float = 0.0,
    ) -> Span:
        """Begins a span; of a new trace when there is no parent.

        `links`: the spans that the work is done for. `ago_s`: how many seconds ago the work began.
        """
        ...
