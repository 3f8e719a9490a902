"""What a failed call to a service means for the REST caller, and what is known about its effect."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import TypeVar

import grpc
import structlog
from grpc import aio

from gateway_http.shared import reasons
from gateway_http.shared.problem import DEFAULT_RETRY_AFTER_S, ProblemError, from_service_error
from service_kit.access.scopes import SELDOM
from service_kit.errors import Kind, ServiceError, Violation
from service_kit.grpc.grpc_errors import KINDS, from_rpc_error
from tukupay.sms.common.v1 import errors_pb2

log = structlog.get_logger()

Response = TypeVar("Response")

# What the client library says when it found nobody to send the call to. Any other interruption may have
# come after the service acted.
_NEVER_SENT = ("connections to all backends failing", "failed to connect to all addresses")

# The answer to a status that came without a reason.
_BARE = {
    grpc.StatusCode.INVALID_ARGUMENT: ProblemError(reasons.INVALID_ARGUMENT, "the service refused the request"),
    grpc.StatusCode.NOT_FOUND: ProblemError(reasons.NOT_FOUND, "the service does not know what was asked for"),
    grpc.StatusCode.ALREADY_EXISTS: ProblemError(reasons.ALREADY_EXISTS, "it exists already"),
    grpc.StatusCode.FAILED_PRECONDITION: ProblemError(
        reasons.FAILED_PRECONDITION, "the present state does not allow it"
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: ProblemError(
        reasons.OVERLOADED,
        "the service has too much to do; try again shortly",
        headers={"Retry-After": str(DEFAULT_RETRY_AFTER_S)},
    ),
}

_TIMEOUT = {"pricing": reasons.PRICING_TIMEOUT, "messaging": reasons.MESSAGING_TIMEOUT}
_INTERRUPTED = {"pricing": reasons.PRICING_INTERRUPTED, "messaging": reasons.MESSAGING_INTERRUPTED}
_UNAVAILABLE = {"pricing": reasons.PRICING_UNAVAILABLE, "messaging": reasons.MESSAGING_UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class Call:
    """What is called, and what to say when it is not known whether it took effect."""

    part: str
    """`pricing` or `messaging`."""
    when_uncertain: str | None = None
    """The remedy, as a sentence; None for a call that changes nothing."""
    timeout_s: float = 10.0
    """How long to wait for the answer."""


async def answer_of(awaitable: Awaitable[Response], call: Call) -> Response:
    """The response of a unary call; raises ProblemError when it fails."""
    try:
        return await awaitable
    except aio.AioRpcError as error:
        raise problem_of(error, call) from error


def problem_of(error: aio.AioRpcError, call: Call) -> ProblemError:
    """The problem for the caller of a call that failed."""
    problem = _problem_of(error, call)
    problem.part = call.part
    return problem


def _problem_of(error: aio.AioRpcError, call: Call) -> ProblemError:
    from_service = from_rpc_error(error)
    if from_service is not None and _is_about_the_gateway(from_service):
        log.error("upstream.refuses_the_gateway", part=call.part, reason=from_service.reason)
        return internal(call)
    if from_service is not None:
        return from_service_error(from_service)
    code = error.code()
    if code in _BARE:
        return replace(_BARE[code])
    if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
        return _interrupted(error, call)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        remedy = call.when_uncertain or "try again shortly"
        return ProblemError(_TIMEOUT[call.part], f"the {call.part} service did not answer in time; {remedy}")
    # The peer's own words stay in the log: they may name what callers need not know.
    log.error("upstream.failed", part=call.part, code=code.name, details=error.details())
    return internal(call)


def _is_about_the_gateway(error: ServiceError) -> bool:
    """Whether a service refuses this process, and not its caller: no credential of theirs could help."""
    is_unknown = error.kind is Kind.UNAUTHENTICATED or error.reason == reasons.TOO_MANY_BAD_CREDENTIALS
    return is_unknown or error.metadata.get("scope") in SELDOM


def _interrupted(error: aio.AioRpcError, call: Call) -> ProblemError:
    # Words of gRPC itself: a service that says something of its own has details that are read before.
    log.warning("upstream.interrupted", part=call.part, code=error.code().name, details=error.details())
    if (error.details() or "").startswith(_NEVER_SENT):
        return _unreachable(call, "nothing was stored or charged; try again shortly")
    if call.when_uncertain is None:
        return _unreachable(call, "try again shortly")
    return ProblemError(
        _INTERRUPTED[call.part],
        f"the {call.part} service broke off during the call; {call.when_uncertain}",
        headers={"Retry-After": str(DEFAULT_RETRY_AFTER_S)},
    )


def _unreachable(call: Call, remedy: str) -> ProblemError:
    return ProblemError(
        _UNAVAILABLE[call.part],
        f"the {call.part} service cannot be reached; {remedy}",
        headers={"Retry-After": str(DEFAULT_RETRY_AFTER_S)},
    )


def internal(call: Call | None = None) -> ProblemError:
    """The problem for a failure that nobody expected; says nothing of its cause."""
    remedy = call.when_uncertain if call and call.when_uncertain else "try again"
    return ProblemError(reasons.INTERNAL, f"an unexpected error; {remedy}, and report the request id if it stays")


def problem_of_item(error: errors_pb2.ItemError, call: Call) -> ProblemError:
    """The problem for the sender of one item of a batch."""
    kind = KINDS.get(error.code)
    if kind is None or not error.reason:
        log.error("upstream.item_failed", part=call.part, code=error.code)
        return internal(call)
    problem = from_service_error(
        ServiceError(
            kind,
            error.reason,
            error.message,
            violations=[Violation(v.field, v.reason, v.description) for v in error.violations],
            metadata=dict(error.metadata),
            retry_after=error.retry_delay.ToTimedelta() if error.HasField("retry_delay") else None,
        )
    )
    problem.part = call.part
    return problem
