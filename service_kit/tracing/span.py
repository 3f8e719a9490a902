"""A piece of work of a sampled request, and the one that the present task does.

`current_span()` is None in every task whose request is not sampled, and everywhere while tracing is off: who asks it
first pays some tens of nanoseconds for a request without a trace, and nothing else of this package is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from enum import Enum, auto
from types import TracebackType
from typing import Final, Protocol, Self

from service_kit.tracing.trace_context import HEADER, TraceContext

Value = str | int | float | bool
Attributes = Mapping[str, Value]
"""By names of OpenTelemetry's conventions, or ours (`tukupay.…`). Never a text, a phone number or a key."""


class SpanKind(Enum):
    """Which side of a call a span is."""

    INTERNAL = auto()
    SERVER = auto()
    CLIENT = auto()
    PRODUCER = auto()
    CONSUMER = auto()


class Span(Protocol):
    """One piece of work; inside `with`, it is the present task's, and it ends with the block.

    An error that leaves the block fails the span by its reason.
    """

    @property
    def context(self) -> TraceContext:
        """How others refer to it."""
        ...

    def begin(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        *,
        links: Sequence[TraceContext] = (),
        attributes: Attributes | None = None,
    ) -> Span:
        """Begins a piece of this work. Names have few values. `links`: the spans that the work is done for."""
        ...

    def describe(self, name: str | None = None, attributes: Attributes | None = None) -> None:
        """Says what is known only now. `name`: None leaves it."""
        ...

    def fail(self, reason: str) -> None:
        """Notes that the work failed; `reason` has few values."""
        ...

    def end(self) -> None:
        """Ends it; harmless a second time."""
        ...

    def __enter__(self) -> Self:
        """Makes it the present task's."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends it, and gives the task back the one before."""
        ...


_CURRENT: Final[ContextVar[Span | None]] = ContextVar("span", default=None)

current_span: Final[Callable[[], Span | None]] = _CURRENT.get
"""What the present task does for a sampled request; None when there is none."""
bind_span: Final[Callable[[Span | None], object]] = _CURRENT.set
"""Says what the present task does from now on, and the tasks that it starts."""


def current_octets() -> bytes | None:
    """The present span as it is stored; None when there is none."""
    span = _CURRENT.get()
    return None if span is None else span.context.octets


def trace_metadata() -> tuple[tuple[str, str], ...]:
    """What goes with a gRPC call for the present span; empty when there is none."""
    span = _CURRENT.get()
    return () if span is None else ((HEADER, span.context.traceparent),)
