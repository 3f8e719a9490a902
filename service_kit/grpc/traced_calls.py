"""Spans of gRPC calls, on both sides, for requests that are sampled; names as OpenTelemetry's conventions for RPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeAlias, TypeVar

import grpc
from grpc import aio
from typing_extensions import override

from service_kit.errors import ServiceError
from service_kit.grpc.access_control import PUBLIC
from service_kit.grpc.context import Context
from service_kit.grpc.grpc_errors import CODES, from_rpc_error
from service_kit.metrics.exemplars import note_served
from service_kit.tracing.span import Span, SpanKind, current_span
from service_kit.tracing.trace_context import HEADER, TraceContext
from service_kit.tracing.tracer import Tracer

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour = Callable[[Any, Context], Any]
Response = TypeVar("Response")

STATUS: Final = "rpc.response.status_code"
_SYSTEM: Final = "rpc.system.name"
_METHOD: Final = "rpc.method"
_NAMES: Final = {code.value[0]: code.name for code in grpc.StatusCode}


class TracedCalls(aio.ServerInterceptor):
    """Gives calls that come with a sampled `traceparent` a span of the server.

    It belongs inside AccessControl, so that nobody is followed who may not call. Other calls are left as they are.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    @override
    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        traceparent = _traceparent(handler_call_details)
        # Whoever calls a public method was let in by nobody.
        if handler is None or traceparent is None or handler_call_details.method in PUBLIC:
            return handler
        kind, factory = _KINDS[handler.request_streaming, handler.response_streaming]
        wrap = self._stream if handler.response_streaming else self._unary
        behaviour = wrap(getattr(handler, kind), handler_call_details.method.lstrip("/"), traceparent)
        return factory(behaviour, handler.request_deserializer, handler.response_serializer)

    def _unary(self, behaviour: Behaviour, method: str, traceparent: str | bytes) -> Behaviour:
        async def unary(request: Any, context: Context) -> Any:  # noqa: ANN401 - any proto message
            parent = self._tracer.followed(traceparent)
            if parent is None:
                return await behaviour(request, context)
            with self._begin(method, parent) as span:
                try:
                    response = await behaviour(request, context)
                except ServiceError as error:
                    _note(span, error)
                    raise
                span.describe(attributes={STATUS: "OK"})
                return response

        return unary

    def _stream(self, behaviour: Behaviour, method: str, traceparent: str | bytes) -> Behaviour:
        async def stream(request: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401 - any proto message
            parent = self._tracer.followed(traceparent)
            if parent is None:
                async with aclosing(behaviour(request, context)) as responses:
                    async for response in responses:
                        yield response
                return
            with self._begin(method, parent) as span:
                try:
                    async with aclosing(behaviour(request, context)) as responses:
                        async for response in responses:
                            yield response
                except ServiceError as error:
                    _note(span, error)
                    raise
                span.describe(attributes={STATUS: "OK"})

        return stream

    def _begin(self, method: str, parent: TraceContext) -> Span:
        note_served(parent)
        return self._tracer.begin(method, SpanKind.SERVER, parent=parent, attributes={_SYSTEM: "grpc", _METHOD: method})


def begin_call(above: Span, method: str, links: Sequence[TraceContext] = ()) -> Span:
    """Begins the client's span of a call; `method` is `package.Service/Method`."""
    return above.begin(method, SpanKind.CLIENT, links=links, attributes={_SYSTEM: "grpc", _METHOD: method})


def failed_call(span: Span, error: aio.AioRpcError) -> None:
    """Notes how a call ended that failed: by the reason of the service, or else the name of the status."""
    code = error.code().name
    told = from_rpc_error(error)
    span.describe(attributes={STATUS: code})
    span.fail(code if told is None else told.reason)


async def traced(
    above: Span, method: str, call: Callable[..., Awaitable[Response]], request: object, options: Mapping[str, Any]
) -> Response:
    """The answer of a unary call inside a span of its own, which goes with it."""
    with begin_call(above, method) as span:
        metadata = (*(options.get("metadata") or ()), (HEADER, span.context.traceparent))
        try:
            response = await call(request, **{**options, "metadata": metadata})
        except aio.AioRpcError as error:
            failed_call(span, error)
            raise
        span.describe(attributes={STATUS: "OK"})
        return response


def traced_if_sampled(
    method: str,
    call: Callable[..., Awaitable[Response]],
    request: object,
    **options: Any,  # noqa: ANN401 - gRPC's own
) -> Awaitable[Response]:
    """A unary call, in a span of its own where the present request is sampled; `method` is `package.Service/Method`."""
    above = current_span()
    return call(request, **options) if above is None else traced(above, method, call, request, options)


def _traceparent(details: grpc.HandlerCallDetails) -> str | bytes | None:
    for key, value in details.invocation_metadata or ():
        if key == HEADER:
            return value
    return None


def _note(span: Span, error: ServiceError) -> None:
    """The status that the caller gets; why, the span says as it ends."""
    span.describe(attributes={STATUS: _NAMES[CODES[error.kind]]})


_KINDS: Final[dict[tuple[bool, bool], tuple[str, Callable[..., Handler]]]] = {
    (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
}
