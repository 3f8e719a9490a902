"""Turns failures into gRPC statuses with machine-readable details, and back.

One table maps kinds to codes. A ServiceError travels as google.rpc.Status with ErrorInfo (its stable
reason), BadRequest (the fields at fault), RetryInfo (when to try again) and RequestInfo (whose log lines to look
for). Anything else becomes INTERNAL with RequestInfo, a reference to the log line and nothing of the exception itself.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any, NoReturn, cast

import grpc
import structlog
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import aio
from grpc_interceptor.server import AsyncServerInterceptor
from grpc_status import rpc_status

from service_kit.errors import Kind, ServiceError, Violation
from service_kit.grpc.context import Context
from service_kit.request_id import current

DOMAIN = "sms.tukupay"
"""The `domain` of every ErrorInfo."""

CODES: dict[Kind, int] = {
    Kind.INVALID: code_pb2.INVALID_ARGUMENT,
    Kind.NOT_FOUND: code_pb2.NOT_FOUND,
    Kind.ALREADY_EXISTS: code_pb2.ALREADY_EXISTS,
    Kind.FAILED_PRECONDITION: code_pb2.FAILED_PRECONDITION,
    Kind.OVERLOADED: code_pb2.RESOURCE_EXHAUSTED,
    Kind.UNAVAILABLE: code_pb2.UNAVAILABLE,
    Kind.UNAUTHENTICATED: code_pb2.UNAUTHENTICATED,
    Kind.PERMISSION_DENIED: code_pb2.PERMISSION_DENIED,
}
KINDS: dict[int, Kind] = {code: kind for kind, code in CODES.items()}

log = structlog.get_logger()


def to_status(error: ServiceError) -> status_pb2.Status:
    """The wire form of a failure."""
    status = status_pb2.Status(code=CODES[error.kind], message=error.message)
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=dict(error.metadata))
    status.details.add().Pack(info)
    if error.violations:
        bad_request = error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(
                    field=violation.field, reason=violation.reason, description=violation.description
                )
                for violation in error.violations
            ]
        )
        status.details.add().Pack(bad_request)
    if error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(error.retry_after)
        status.details.add().Pack(retry)
    return _named(status)


def _named(status: status_pb2.Status) -> status_pb2.Status:
    """The status with the id of the present request, if there is one."""
    request_id = current()
    if request_id is not None:
        status.details.add().Pack(error_details_pb2.RequestInfo(request_id=request_id))
    return status


def request_id_of(error: aio.AioRpcError) -> str | None:
    """The id under which the peer's log lines about a failed call are found; None when it did not say."""
    status = rpc_status.from_call(cast("grpc.Call", error))
    info = error_details_pb2.RequestInfo()
    for detail in () if status is None else status.details:
        if detail.Unpack(info):
            return str(info.request_id)
    return None


def from_rpc_error(error: aio.AioRpcError) -> ServiceError | None:
    """The ServiceError that the peer raised, or None when the status does not come from one."""
    status = rpc_status.from_call(cast("grpc.Call", error))
    if status is None or status.code not in KINDS:
        return None
    reason, metadata = "", dict[str, str]()
    violations: list[Violation] = []
    retry_after: timedelta | None = None
    for detail in status.details:
        info, bad, retry = (
            error_details_pb2.ErrorInfo(),
            error_details_pb2.BadRequest(),
            error_details_pb2.RetryInfo(),
        )
        if detail.Unpack(info):
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            violations = [Violation(v.field, v.reason, v.description) for v in bad.field_violations]
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta()
    if not reason:
        return None
    return ServiceError(KINDS[status.code], reason, status.message, tuple(violations), metadata, retry_after)


class ErrorInterceptor(AsyncServerInterceptor):
    """Answers failures with their status; belongs innermost, so that every other sees statuses only."""

    def __init__(self, noted: Callable[[BaseException], object] = lambda _error: None) -> None:
        """`noted` is given what each call failed with."""
        self._noted = noted

    async def intercept(
        self,
        method: Callable[..., Any],
        request_or_iterator: Any,  # noqa: ANN401 - any proto message
        context: Context,
        method_name: str,
    ) -> Any:  # noqa: ANN401 - any proto message
        """Runs the call and translates what it raises."""
        try:
            response = method(request_or_iterator, context)
            if hasattr(response, "__aiter__"):
                return self._stream(response, context, method_name)
            return await response
        except Exception as error:  # noqa: BLE001 - the boundary: everything becomes a status
            self._noted(error)
            await _abort(context, error, method_name)

    async def _stream(
        self, responses: AsyncGenerator[Any, None], context: Context, method_name: str
    ) -> AsyncIterator[Any]:
        try:
            # Closing at once when the caller leaves, not when the garbage collector comes by.
            async with aclosing(responses) as stream:
                async for response in stream:
                    yield response
        except Exception as error:  # noqa: BLE001 - the boundary: everything becomes a status
            self._noted(error)
            await _abort(context, error, method_name)


async def _abort(context: Context, error: Exception, method_name: str) -> NoReturn:
    if isinstance(error, aio.AbortError):
        raise error
    if isinstance(error, ServiceError):
        log.info("rpc.refused", method=method_name, reason=error.reason)
        await context.abort_with_status(rpc_status.to_status(to_status(error)))
    reference = uuid.uuid4().hex[:12]
    # The traceback goes to the log without local variables; they may hold texts and numbers.
    log.error("rpc.failed", method=method_name, reference=reference, exc_info=error)
    status = status_pb2.Status(code=code_pb2.INTERNAL, message=f"internal error, reference {reference}")
    await context.abort_with_status(rpc_status.to_status(_named(status)))
    raise AssertionError("abort returned")
