"""Answers requests whose octets are no message of the method's type, which gRPC itself calls an unknown failure.

gRPC would answer UNKNOWN with the name of a class of ours and log a traceback for each, so that any caller could fill
the log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from grpc import aio

from service_kit import reasons
from service_kit.errors import Kind, ServiceError

Behaviour = Callable[[Any, Any], Any]
Deserializer = Callable[[bytes], Any]

_MALFORMED: Final = object()
"""In the place of a request that could not be read."""


class MalformedRequests(aio.ServerInterceptor):
    """Refuses them as INVALID_ARGUMENT; belongs directly inside ErrorInterceptor, which gives that its form."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Puts itself around the handler of a call."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None:
            return handler
        read = _reading(handler.request_deserializer)
        write = handler.response_serializer
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(_one(handler.unary_unary), read, write)
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(_one(handler.unary_stream), read, write)
        if handler.stream_unary:
            return grpc.stream_unary_rpc_method_handler(_many(handler.stream_unary), read, write)
        if handler.stream_stream:
            return grpc.stream_stream_rpc_method_handler(_many(handler.stream_stream), read, write)
        return handler


def _reading(deserializer: Deserializer) -> Deserializer:
    def read(octets: bytes) -> Any:  # noqa: ANN401 - any proto message
        try:
            return deserializer(octets)
        except DecodeError:
            return _MALFORMED

    return read


def _one(behaviour: Behaviour) -> Behaviour:
    def checked(request: Any, context: Any) -> Any:  # noqa: ANN401 - any proto message
        if request is _MALFORMED:
            raise _refusal()
        return behaviour(request, context)

    return checked


def _many(behaviour: Behaviour) -> Behaviour:
    def checked(requests: AsyncIterator[Any], context: Any) -> Any:  # noqa: ANN401 - any proto message
        return behaviour(_all(requests), context)

    return checked


async def _all(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        if request is _MALFORMED:
            raise _refusal()
        yield request


def _refusal() -> ServiceError:
    return ServiceError(
        Kind.INVALID,
        reasons.MALFORMED_REQUEST,
        "the octets of the request are no message of its type; encode it with the published protos",
    )
