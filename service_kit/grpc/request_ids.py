"""Gives every call that comes in the id of its request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from grpc import aio

from service_kit import request_id


class RequestIds(aio.ServerInterceptor):
    """Binds the id that came in the metadata, or a new one, for all that the call does; belongs outermost.

    gRPC runs each call in a task of its own, interceptors included, so nothing has to be unbound.
    """

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Binds the id, and leaves the call to the others."""
        request_id.bind(request_id.from_metadata(handler_call_details.invocation_metadata))
        return await continuation(handler_call_details)
