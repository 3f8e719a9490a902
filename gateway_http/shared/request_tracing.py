"""Which requests are traced, and the span of each: decided once a caller is let in, so that nobody else is followed."""

from __future__ import annotations

import time
from typing import Final

from starlette.types import Scope
from typing_extensions import override

from gateway_http.openapi.route_access import RouteAccess
from gateway_http.shared.admission import Admission
from gateway_http.shared.asserted_caller import Caller
from service_kit.tracing.span import Span, SpanKind, bind_span
from service_kit.tracing.trace_context import HEADER
from service_kit.tracing.tracer import Tracer

_HEADER: Final = HEADER.encode()
_SPAN: Final = "tukupay.span"
"""Where the scope of a request has its span."""
_BEGUN: Final = "tukupay.begun"


class TracedAdmission(Admission):
    """Admission by another one; then it begins the span of a request that is sampled.

    A caller who was let in, and on an open system everybody, has requests followed that come with a sampled
    `traceparent`; of the others a part is sampled. For a request that is not it costs less than a microsecond.
    """

    def __init__(self, inner: Admission, tracer: Tracer) -> None:
        self._inner = inner
        self._tracer = tracer

    @override
    async def admit(self, scope: Scope, access: RouteAccess) -> Caller | None:
        caller = await self._inner.admit(scope, access)
        parent = None
        for name, value in scope["headers"]:
            if name == _HEADER:
                parent = self._tracer.followed(value)
                break
        if parent is not None or self._tracer.samples():
            method = scope["method"]
            span = self._tracer.begin(
                method,
                SpanKind.SERVER,
                parent=parent,
                attributes={"http.request.method": method, "url.scheme": scope["scheme"]},
                ago_s=time.perf_counter() - scope.get(_BEGUN, time.perf_counter()),
            )
            scope[_SPAN] = span
            bind_span(span)
        return caller

    @override
    def origin(self, scope: Scope) -> str | None:
        return self._inner.origin(scope)

    @override
    def denied(self, caller: Caller, access: RouteAccess, missing: str | None, origin: str | None) -> None:
        self._inner.denied(caller, access, missing, origin)


def request_begun(scope: Scope, begun: float) -> None:
    """Notes when a request began, in seconds of `time.perf_counter`."""
    scope[_BEGUN] = begun


def span_of(scope: Scope) -> Span | None:
    """The span of a request; None when it is not sampled."""
    return scope.get(_SPAN)


def request_refused(scope: Scope, status: int, reason: str) -> None:
    """Notes why a request got no answer but a problem; the span fails when that is our fault."""
    span = span_of(scope)
    if span is None:
        return
    if status >= 500:
        span.fail(reason)
    else:
        span.describe(attributes={"error.type": reason})


def request_answered(scope: Scope, route: str | None, status: int) -> None:
    """Ends the span of a request. `status` 0: the client went away."""
    span = span_of(scope)
    if span is None:
        return
    if route is not None:
        span.describe(f"{scope['method']} {route}", {"http.route": route})
    if status:
        span.describe(attributes={"http.response.status_code": status})
    else:
        span.fail("CLIENT_GONE")
    span.end()
    # The task may have served one request of a connection, and serve the next.
    bind_span(None)
