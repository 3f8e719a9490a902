"""Failures of the services become problem documents that name fields, reasons and remedies."""

from __future__ import annotations

import json
from datetime import timedelta

import grpc
import pytest
from grpc import aio
from grpc_status import rpc_status

from gateway_http.shared.problem import ProblemError, from_service_error, invalid_fields
from gateway_http.shared.problem_reasons import REASONS, STATUS_OF_KIND, STATUS_OF_REASON
from gateway_http.shared.upstream import Call, problem_of, problem_of_item
from service_kit.errors import Kind, ServiceError, Violation, invalid
from service_kit.grpc.grpc_errors import to_status
from tukupay.sms.common.v1 import errors_pb2

READ, WRITE = Call("pricing"), Call("messaging", "it may or may not have happened")


def rpc_error(code: grpc.StatusCode, details: str = "secret words of the peer") -> aio.AioRpcError:
    return aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), details)


def raised_by_service(error: ServiceError) -> aio.AioRpcError:
    status = rpc_status.to_status(to_status(error))
    return aio.AioRpcError(status.code, aio.Metadata(), aio.Metadata(*status.trailing_metadata), status.details)


@pytest.mark.parametrize(
    ("kind", "reason", "status"),
    [
        (Kind.INVALID, "INVALID_ARGUMENT", 400),
        (Kind.FAILED_PRECONDITION, "INSUFFICIENT_FUNDS", 402),
        (Kind.NOT_FOUND, "NO_PRICE", 404),
        (Kind.FAILED_PRECONDITION, "NO_PRICE", 409),
        (Kind.NOT_FOUND, "OUTBOX_ENTRY_NOT_FOUND", 404),
        (Kind.ALREADY_EXISTS, "MESSAGE_ID_REUSED", 409),
        (Kind.FAILED_PRECONDITION, "RETRY_LIMIT_REACHED", 409),
        (Kind.FAILED_PRECONDITION, "PRICE_GUARD", 409),
        (Kind.FAILED_PRECONDITION, "COST_IN_FORCE", 409),
        (Kind.FAILED_PRECONDITION, "COST_WITHDRAWN", 409),
        (Kind.ALREADY_EXISTS, "IDEMPOTENCY_KEY_REUSED", 409),
        (Kind.NOT_FOUND, "COST_NOT_FOUND", 404),
        (Kind.OVERLOADED, "OVERLOADED", 429),
        (Kind.UNAVAILABLE, "CARRIER_UNAVAILABLE", 503),
        (Kind.FAILED_PRECONDITION, "A_REASON_OF_TOMORROW", 409),
    ],
)
def test_a_failure_of_a_service_keeps_its_reason_and_gets_its_status(kind: Kind, reason: str, status: int) -> None:
    problem = problem_of(raised_by_service(ServiceError(kind, reason, "what happened; the remedy")), READ)
    document = json.loads(problem.document("request-1"))
    assert problem.http_status == status
    assert document["status"] == status
    assert document["reason"] == reason
    assert document["type"] == f"urn:tukupay:problem:{reason}"
    assert document["detail"] == "what happened; the remedy"
    assert document["requestId"] == "request-1"
    assert document["title"]
    assert document["errors"] == []


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_a_status(kind: Kind) -> None:
    assert from_service_error(ServiceError(kind, "X", "m")).http_status == STATUS_OF_KIND[kind]


@pytest.mark.parametrize(
    ("after", "header"), [(timedelta(seconds=2), "2"), (timedelta(milliseconds=1200), "2"), (None, "1")]
)
@pytest.mark.parametrize("kind", [Kind.OVERLOADED, Kind.UNAVAILABLE])
def test_what_passes_says_when_to_try_again(kind: Kind, after: timedelta | None, header: str) -> None:
    problem = from_service_error(ServiceError(kind, "X", "m", retry_after=after))
    assert problem.headers["Retry-After"] == header


def test_a_guard_names_its_fields_and_how_to_override_it() -> None:
    error = ServiceError(
        Kind.FAILED_PRECONDITION,
        "PRICE_GUARD",
        "the price is 7 KES. If this is meant, override the guards",
        violations=[Violation("price_micros", "RELATIVE_CHANGE", "is 7 KES")],
    )
    document = json.loads(problem_of(raised_by_service(error), WRITE).document("r"))
    assert document["detail"] == "the price is 7 KES. If this is meant, override the guards"
    assert document["errors"] == [{"field": "pricePerSms", "reason": "RELATIVE_CHANGE", "detail": "is 7 KES"}]


def test_fields_at_fault_are_named_in_rest_spelling() -> None:
    error = invalid([Violation("recipient_phone_number", "INVALID_PHONE_NUMBER", "is not in E.164; add the +")])
    problem = problem_of(raised_by_service(error), WRITE)
    document = json.loads(problem.document("r"))
    assert document["errors"] == [
        {
            "field": "recipientPhoneNumber",
            "reason": "INVALID_PHONE_NUMBER",
            "detail": "is not in E.164; add the +",
        }
    ]
    assert document["detail"] == "recipientPhoneNumber: is not in E.164; add the +"


@pytest.mark.parametrize(
    ("code", "call", "reason", "status"),
    [
        (grpc.StatusCode.UNAVAILABLE, READ, "PRICING_UNAVAILABLE", 503),
        (grpc.StatusCode.UNAVAILABLE, WRITE, "MESSAGING_INTERRUPTED", 503),
        (grpc.StatusCode.CANCELLED, WRITE, "MESSAGING_INTERRUPTED", 503),
        (grpc.StatusCode.DEADLINE_EXCEEDED, READ, "PRICING_TIMEOUT", 504),
        (grpc.StatusCode.DEADLINE_EXCEEDED, WRITE, "MESSAGING_TIMEOUT", 504),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, WRITE, "OVERLOADED", 429),
        (grpc.StatusCode.INVALID_ARGUMENT, WRITE, "INVALID_ARGUMENT", 400),
        (grpc.StatusCode.NOT_FOUND, WRITE, "NOT_FOUND", 404),
        (grpc.StatusCode.ALREADY_EXISTS, WRITE, "ALREADY_EXISTS", 409),
        (grpc.StatusCode.FAILED_PRECONDITION, WRITE, "FAILED_PRECONDITION", 409),
        (grpc.StatusCode.INTERNAL, WRITE, "INTERNAL", 500),
        (grpc.StatusCode.UNKNOWN, READ, "INTERNAL", 500),
        (grpc.StatusCode.UNIMPLEMENTED, READ, "INTERNAL", 500),
        (grpc.StatusCode.PERMISSION_DENIED, READ, "INTERNAL", 500),
    ],
)
def test_a_bare_status_becomes_a_problem_without_the_words_of_the_peer(
    code: grpc.StatusCode, call: Call, reason: str, status: int
) -> None:
    problem = problem_of(rpc_error(code), call)
    assert (problem.reason, problem.http_status) == (reason, status)
    assert "secret" not in problem.document("r").decode()
    if status >= 500 and call is WRITE:
        assert "may or may not" in problem.detail


@pytest.mark.parametrize("call", [READ, WRITE])
def test_nothing_stored_is_said_only_when_the_call_never_left(call: Call) -> None:
    never_left = rpc_error(grpc.StatusCode.UNAVAILABLE, "connections to all backends failing; last error: x")
    assert "nothing was stored" in problem_of(never_left, call).detail
    assert "nothing was stored" not in problem_of(rpc_error(grpc.StatusCode.UNAVAILABLE), call).detail


def test_an_item_of_a_batch_fails_like_a_call_of_its_own() -> None:
    item = errors_pb2.ItemError(
        code=grpc.StatusCode.UNAVAILABLE.value[0],
        reason="CARRIER_UNAVAILABLE",
        message="no carrier; try again",
        violations=[errors_pb2.FieldViolation(field="items[3].sender_id", reason="X", description="y")],
        retry_delay={"seconds": 7},  # type: ignore[arg-type]  # the runtime takes fields by name
    )
    problem = problem_of_item(item, WRITE)
    assert (problem.reason, problem.http_status) == ("CARRIER_UNAVAILABLE", 503)
    assert problem.headers == {"Retry-After": "7"}
    assert problem.errors == [Violation("senderId", "X", "y")]


@pytest.mark.parametrize("code", [13, 2, 0, 999])
def test_an_item_that_failed_for_no_known_reason_leaks_nothing(code: int) -> None:
    problem = problem_of_item(errors_pb2.ItemError(code=code, message="secret"), WRITE)
    assert (problem.reason, problem.http_status) == ("INTERNAL", 500)
    assert "secret" not in problem.detail


def test_statuses_by_reason_agree_with_the_table() -> None:
    for reason, status in STATUS_OF_REASON.items():
        assert REASONS[reason].status == status


def test_a_fault_of_the_whole_body_has_no_field() -> None:
    problem = invalid_fields([Violation("", "WRONG_TYPE", "the body is an array; give an object")])
    assert problem.detail == "the body is an array; give an object"
    assert isinstance(problem, ProblemError)
