"""How many gRPC calls there are, how they end and how long they take; on both sides of a call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import grpc
from grpc import aio
from prometheus_client import Counter, Histogram
from prometheus_client.registry import CollectorRegistry
from typing_extensions import override

from service_kit.grpc.context import Context
from service_kit.grpc.leaving_servers import Elsewhere
from service_kit.grpc.traced_calls import traced_if_sampled
from service_kit.metrics.buckets import LATENCY_BUCKETS_S
from service_kit.metrics.exemplars import exemplar, served_exemplar

Response = TypeVar("Response")
Stub = TypeVar("Stub")
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour = Callable[[Any, Context], Any]
Exemplar = Callable[[], dict[str, str]]
_OK: Final = "OK"
_NAMES: Final[dict[object, str]] = {None: _OK}
"""The name of what a context says of its status: nothing, a number, or a member of the enumeration."""
for _code in grpc.StatusCode:
    _NAMES[_code] = _NAMES[_code.value[0]] = _code.name
_NO_METHOD: Final = "none/none"
"""What calls to methods that do not exist are counted as, whatever they were called."""


class _Calls:
    """The figures of one side, by method. Both labels are bounded: methods are those that exist."""

    def __init__(self, side: str, registry: CollectorRegistry, exemplar_of: Exemplar) -> None:
        """`exemplar_of` marks what was measured last."""
        self._exemplar_of = exemplar_of
        self._count = Counter(
            f"tukupay_grpc_{side}_calls", "gRPC calls that ended.", ("method", "code"), registry=registry
        )
        self._seconds = Histogram(
            f"tukupay_grpc_{side}_call_seconds",
            "From the beginning of a gRPC call to its end, streams included.",
            ("method",),
            registry=registry,
            buckets=LATENCY_BUCKETS_S,
        )
        self._methods: dict[str, _Method] = {}

    def of(self, method: str) -> _Method:
        """The figures of one method."""
        found = self._methods.get(method)
        if found is None:
            name = _short(method)
            found = self._methods[method] = _Method(
                name, self._count, self._seconds.labels(name).observe, self._exemplar_of
            )
        return found


class _Method:
    """Children bound once: looking them up by their labels costs more than all the rest of counting."""

    def __init__(
        self, name: str, count: Counter, observe: Callable[[float, dict[str, str]], None], exemplar_of: Exemplar
    ) -> None:
        self._exemplar_of = exemplar_of
        self._name = name
        self._count = count
        self._observe = observe
        self._by_code: dict[str, Callable[[], None]] = {}

    def ended(self, code: str, seconds: float) -> None:
        """A call ended; costs two microseconds."""
        count = self._by_code.get(code)
        if count is None:
            count = self._by_code[code] = self._count.labels(self._name, code).inc
        count()
        self._observe(seconds, self._exemplar_of())


def _short(method: str) -> str:
    """`Service/Method`: the packages of our services tell nothing more."""
    package_and_service, _, name = method.lstrip("/").partition("/")
    return f"{package_and_service.rpartition('.')[2]}/{name}"


class ServerCalls(aio.ServerInterceptor):
    """Counts the calls of a server; belongs outermost, so that what any other refuses is counted too.

    It adds about three microseconds to a call, and half of one to each message of a stream. Calls to methods
    that do not exist are counted together. It relies on ErrorInterceptor inside, which makes every streaming
    handler an async generator.
    """

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.perf_counter) -> None:
        """`clock`: seconds, monotonic."""
        self._calls = _Calls("server", registry, served_exemplar)
        self._clock = clock

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Puts itself around the handler of a call."""
        handler = await continuation(handler_call_details)
        if handler is None:
            self._calls.of(_NO_METHOD).ended(grpc.StatusCode.UNIMPLEMENTED.name, 0.0)
            return None
        wrap = self._stream if handler.response_streaming else self._unary
        kind, factory = _KINDS[handler.request_streaming, handler.response_streaming]
        behaviour = wrap(self._calls.of(handler_call_details.method), getattr(handler, kind))
        return factory(behaviour, handler.request_deserializer, handler.response_serializer)

    def _unary(self, method: _Method, behaviour: Behaviour) -> Behaviour:
        clock = self._clock

        async def unary(request: Any, context: Context) -> Any:  # noqa: ANN401 - any proto message
            begun = clock()
            try:
                response = await behaviour(request, context)
            except BaseException as error:
                method.ended(_failure(error, context), clock() - begun)
                raise
            method.ended(_code_of(context), clock() - begun)
            return response

        return unary

    def _stream(self, method: _Method, behaviour: Behaviour) -> Behaviour:
        clock = self._clock

        async def stream(request: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401 - any proto message
            begun = clock()
            try:
                async with aclosing(behaviour(request, context)) as responses:
                    async for response in responses:
                        yield response
            except BaseException as error:
                method.ended(_failure(error, context), clock() - begun)
                raise
            method.ended(_code_of(context), clock() - begun)

        return stream


_KINDS: Final[dict[tuple[bool, bool], tuple[str, Callable[..., Handler]]]] = {
    (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
}
"""By whether requests and responses are streams: where the handler keeps its function, and what makes one."""


def _code_of(context: Context) -> str:
    """The name of the status that a call has so far."""
    return _NAMES.get(context.code(), grpc.StatusCode.UNKNOWN.name)


def _failure(error: BaseException, context: Context) -> str:
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        remaining: float | None = context.time_remaining()
        is_late = remaining is not None and remaining <= 0
        return (grpc.StatusCode.DEADLINE_EXCEEDED if is_late else grpc.StatusCode.CANCELLED).name
    name = _code_of(context)
    return grpc.StatusCode.UNKNOWN.name if name == _OK else name


class CallMeter(Protocol):
    """Notified of calls that this process makes."""

    async def answer(self, method: str, call: Awaitable[Response]) -> Response:
        """The answer of a unary call, counted; `method` is `Service/Method`."""
        ...

    def ended(self, method: str, code: str, seconds: float) -> None:
        """A streaming call ended with the name of a status."""
        ...


class ClientCalls(CallMeter):
    """Implements CallMeter. Each call says its name, as a client interceptor costs more than the call's own work."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.perf_counter) -> None:
        """`clock`: seconds, monotonic."""
        self._calls = _Calls("client", registry, exemplar)
        self._clock = clock

    @override
    async def answer(self, method: str, call: Awaitable[Response]) -> Response:
        begun = self._clock()
        code = grpc.StatusCode.CANCELLED.name
        try:
            response = await call
            code = _OK
        except aio.AioRpcError as error:
            code = error.code().name
            raise
        finally:
            self._calls.of(method).ended(code, self._clock() - begun)
        return response

    @override
    def ended(self, method: str, code: str, seconds: float) -> None:
        self._calls.of(method).ended(code, seconds)


class UncountedCalls(CallMeter):
    """Implements CallMeter where nobody looks at the figures."""

    @override
    async def answer(self, method: str, call: Awaitable[Response]) -> Response:
        del method
        return await call

    @override
    def ended(self, method: str, code: str, seconds: float) -> None:
        pass


def counted_stub(stub: Stub, service: str, calls: CallMeter) -> Stub:
    """The same stub, whose unary calls are counted as `service/Method`, and traced for requests that are sampled.

    Calls that no server took because the last known one leaves are made again. What it streams is left as it is: who
    reads a stream to its end can tell how it ended.
    """
    # A stub is generated into the Python package that the proto's package is.
    package = type(stub).__module__.rpartition(".")[0]
    elsewhere = Elsewhere()
    for name, call in vars(stub).items():
        if isinstance(call, aio.UnaryUnaryMultiCallable):
            counted = _counted(elsewhere.made_again(call), f"{package}.{service}/{name}", f"{service}/{name}", calls)
            setattr(stub, name, counted)
    return stub


def _counted(
    call: Callable[..., Awaitable[Response]], full_name: str, method: str, calls: CallMeter
) -> Callable[..., Awaitable[Response]]:
    def counted(request: Any, **options: Any) -> Awaitable[Response]:  # noqa: ANN401 - any proto message
        return calls.answer(method, traced_if_sampled(full_name, call, request, **options))

    return counted
