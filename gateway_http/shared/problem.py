"""Failures as RFC 9457 problem documents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from gateway_http.shared import reasons
from gateway_http.shared.field_names import rest_violations
from gateway_http.shared.problem_reasons import REASONS, STATUS_OF_KIND, STATUS_OF_REASON
from service_kit.errors import Kind, ServiceError, Violation
from service_kit.quotas import rate_limit_headers

CONTENT_TYPE = b"application/problem+json"
TYPE_PREFIX = "urn:tukupay:problem:"
DEFAULT_RETRY_AFTER_S = 1


class FieldProblem(msgspec.Struct, frozen=True):
    """What is wrong with one field or query parameter."""

    field: Annotated[
        str,
        Meta(description="The field as documented here, `tags[2]` for an element; empty for the whole body."),
    ]
    reason: Annotated[str, Meta(description="Stable word to branch on.", examples=["REQUIRED", "INVALID_PHONE_NUMBER"])]
    detail: Annotated[str, Meta(description="What is wrong and what would be right, for a person.")]


class ProblemDocument(msgspec.Struct, frozen=True):
    """An error, as in RFC 9457."""

    type: Annotated[str, Meta(description="`urn:tukupay:problem:` and the reason.")]
    title: Annotated[str, Meta(description="The reason in words; the same in every occurrence.")]
    status: Annotated[int, Meta(description="The HTTP status.")]
    detail: Annotated[str, Meta(description="What happened this time, and the remedy.")]
    reason: Annotated[str, Meta(description="Stable word to branch on.", examples=["INVALID_ARGUMENT"])]
    errors: Annotated[list[FieldProblem], Meta(description="The fields at fault; empty when no field is.")]
    request_id: Annotated[str, Meta(description="The request's id, as in the `X-Request-Id` header.")] = msgspec.field(
        name="requestId"
    )
    shortfall: Annotated[
        Raw | UnsetType,
        Meta(
            description="Only of `INSUFFICIENT_FUNDS`: the KES that are missing.",
            extra_json_schema={"type": "number", "examples": [0.7]},
        ),
    ] = UNSET
    outbox_id: Annotated[
        str | UnsetType,
        Meta(description="Only of `MESSAGE_ID_REUSED`: the stored entry that the `messageId` stands for."),
    ] = msgspec.field(name="outboxId", default=UNSET)


@dataclass(eq=False)
class ProblemError(Exception):
    """A failure on its way to the client."""

    reason: str
    detail: str
    status: int | None = None
    """None for the status that the reason always has."""
    errors: Sequence[Violation] = ()
    """In REST spelling."""
    headers: dict[str, str] = field(default_factory=dict)
    shortfall: str | None = None
    """The KES that are missing, as a plain number; None for a problem of another kind."""
    outbox_id: str | None = None
    """The stored entry that stands in the way; None for a problem of another kind."""
    part: str | None = None
    """The service that the problem comes from, `pricing` or `messaging`; None for the gateway's own."""

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"

    @property
    def http_status(self) -> int:
        """The status to answer with."""
        return self.status or REASONS[self.reason].status

    def as_document(self, request_id: str) -> ProblemDocument:
        """What the client sees."""
        status = self.http_status
        known = REASONS.get(self.reason)
        return ProblemDocument(
            type=TYPE_PREFIX + self.reason,
            title=known.title if known else _title(status),
            status=status,
            detail=self.detail,
            reason=self.reason,
            errors=[FieldProblem(v.field, v.reason, v.description) for v in self.errors],
            request_id=request_id,
            shortfall=UNSET if self.shortfall is None else Raw(self.shortfall.encode()),
            outbox_id=UNSET if self.outbox_id is None else self.outbox_id,
        )

    def document(self, request_id: str) -> bytes:
        """The body of the answer."""
        return msgspec.json.encode(self.as_document(request_id))


def _title(status: int) -> str:
    by_status = {404: "Not found", 409: "Not possible in this state", 429: "Too much at once"}
    return by_status.get(status, "The request is not valid" if status < 500 else "Not available now")


def no_such_route() -> ProblemError:
    """The problem of a path that leads nowhere, or is to look so."""
    return ProblemError(reasons.ROUTE_NOT_FOUND, "there is nothing at this path; /openapi.json lists all routes")


def invalid_fields(violations: Sequence[Violation]) -> ProblemError:
    """The problem of a request with fields at fault, given in REST spelling."""
    return ProblemError(reasons.INVALID_ARGUMENT, _detail(violations), errors=violations)


def _detail(violations: Sequence[Violation]) -> str:
    return "; ".join(f"{v.field}: {v.description}" if v.field else v.description for v in violations)


def from_service_error(error: ServiceError) -> ProblemError:
    """The problem that a service's own failure is for a REST caller."""
    headers: dict[str, str] = {}
    if error.kind in {Kind.OVERLOADED, Kind.UNAVAILABLE}:
        headers["Retry-After"] = str(_whole_seconds(error))
        headers |= rate_limit_headers(error.metadata, error.retry_after)
    if error.kind is Kind.PERMISSION_DENIED and (scope := error.metadata.get("scope")):
        headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{scope}"'
    faults = rest_violations(error.violations)
    # The sentence of an invalid request begins with the fields as gRPC spells them, so it is put together anew. Every
    # other sentence passes as it is: what looks like the name of a field in it may be the caller's own data.
    detail = _detail(faults) if error.kind is Kind.INVALID and faults else error.message
    return ProblemError(
        error.reason,
        detail,
        status=STATUS_OF_REASON.get(error.reason, STATUS_OF_KIND[error.kind]),
        errors=faults,
        headers=headers,
        shortfall=error.metadata.get("shortfall"),
        # Other reasons name an entry that the caller has just asked for.
        outbox_id=error.metadata.get("outbox_id") if error.reason == "MESSAGE_ID_REUSED" else None,
    )


def _whole_seconds(error: ServiceError) -> int:
    if error.retry_after is None:
        return DEFAULT_RETRY_AFTER_S
    return max(math.ceil(error.retry_after.total_seconds()), DEFAULT_RETRY_AFTER_S)
