"""The parts that every documented operation is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec
from typing_extensions import override

from gateway_http.openapi import problem_examples
from gateway_http.openapi.problem_examples import Json
from gateway_http.openapi.route_access import RouteAccess
from gateway_http.shared.problem import ProblemDocument
from gateway_http.shared.problem_reasons import REASONS

B = TypeVar("B", bound=msgspec.Struct)

READ_FAILURES: Mapping[int, Sequence[str]] = {
    503: ["MESSAGING_UNAVAILABLE", "DATABASE_UNAVAILABLE"],
    504: ["MESSAGING_TIMEOUT"],
}
"""What any read from the messaging service may fail with."""
WRITE_FAILURES: Mapping[int, Sequence[str]] = {
    503: ["MESSAGING_UNAVAILABLE", "MESSAGING_INTERRUPTED", "DATABASE_UNAVAILABLE"],
    504: ["MESSAGING_TIMEOUT"],
}
"""What any change in the messaging service may fail with."""

SECURITY_SCHEME = "bearer"
"""The name of the scheme in the document: a credential behind `Authorization: Bearer`."""

_JSON = "application/json"
_PROBLEM = "application/problem+json"
_HTTP_WORDS = {
    400: "The request is not valid.",
    401: "Nobody knows who calls; see `WWW-Authenticate`.",
    402: "The balance does not cover it.",
    403: "The credential does not allow it.",
    404: "Not found.",
    405: "The route has no such method.",
    408: "The body did not arrive in time.",
    409: "Not possible in the present state.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    429: "Too much at once; see `Retry-After`.",
    500: "Something went wrong here.",
    503: "A part that is needed cannot be reached; see `Retry-After`.",
    504: "A part that is needed did not answer in time.",
}

_CREDENTIAL_PROBLEMS: Mapping[int, Sequence[str]] = {
    401: ["UNAUTHENTICATED"],
    403: ["PERMISSION_DENIED"],
    429: ["TOO_MANY_BAD_CREDENTIALS"],
    503: ["MESSAGING_UNAVAILABLE", "IDENTITY_PROVIDER_UNAVAILABLE"],
}
"""Of each operation that is not public; the last one when nobody can tell whether a credential is valid."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A heading of the document."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Many:
    """The shape of an answer that is a bare array."""

    of: type[msgspec.Struct]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of an operation that is not a problem."""

    description: str
    shape: type[msgspec.Struct] | Many | Json | None
    """A struct, an array of structs, or a schema; None for an answer without a body."""
    examples: Mapping[str, Any]
    headers: Sequence[str] = ()
    """Names in `components.headers`."""
    media_type: str = _JSON
    others: Mapping[str, str] = field(default_factory=dict)
    """An example of each other media type that it also comes in, all of them text."""

    def schema(self) -> Json | None:
        """The schema of the body; None for an answer without one."""
        if isinstance(self.shape, Many):
            return {"type": "array", "items": _reference(self.shape.of)}
        return _reference(self.shape) if isinstance(self.shape, type) else self.shape


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path: what a caller may ask, and what it is answered.

    The route takes its path, its method and its query parameters from here, so the document cannot differ from them.
    """

    method: str
    path: str
    operation_id: str
    tag: Tag
    summary: str
    description: str
    access: RouteAccess
    """Who may ask."""
    answers: Mapping[int, Answer]
    problems: Mapping[int, Sequence[str]]
    """The reasons of each error status that this operation has beside the general ones."""
    parameters: Sequence[Json] = field(default_factory=tuple)

    def names(self, place: str, *, only_required: bool = False) -> tuple[str, ...]:
        """The names of the parameters in one place: `query`, `path` or `header`."""
        return tuple(
            each["name"] for each in self.parameters if each["in"] == place and (each["required"] or not only_required)
        )

    def maximum(self, name: str) -> int:
        """The largest value of a whole number among the query parameters."""
        return next(int(each["schema"]["maximum"]) for each in self.parameters if each["name"] == name)

    def shapes(self) -> list[type[msgspec.Struct]]:
        """The structs that bodies and answers are made of."""
        found = [
            answer.shape.of if isinstance(answer.shape, Many) else answer.shape for answer in self.answers.values()
        ]
        return [shape for shape in found if isinstance(shape, type)]

    def document(self, *, is_open: bool) -> Json:
        """The Operation Object; on an open system a credential is not required."""
        document: Json = {
            "operationId": self.operation_id,
            "tags": [self.tag.name],
            "summary": self.summary,
            "description": self._description(),
            "parameters": [*self.parameters, {"$ref": "#/components/parameters/RequestId"}],
            "security": self._security(is_open=is_open),
        }
        if body := self._body():
            document["requestBody"] = body
        document["responses"] = {
            **{str(status): _answer(answer) for status, answer in sorted(self.answers.items())},
            **{
                str(status): _problem(status, reasons)
                for status, reasons in sorted(self._all_problems().items())
                # A status of both sorts is an answer that says it itself, as /readyz does.
                if status not in self.answers
            },
        }
        return document

    def _body(self) -> Json | None:
        return None

    def _security(self, *, is_open: bool) -> list[Json]:
        if self.access.is_public:
            return []
        needed: Json = {SECURITY_SCHEME: list(self.access.scopes)}
        return [{}, needed] if is_open else [needed]

    def _description(self) -> str:
        if self.access.is_public:
            return self.description
        scopes = " and ".join(f"`{scope}`" for scope in self.access.scopes)
        whose = " and is for all accounts" if self.access.is_for_all_accounts else ""
        return f"{self.description}\n\nWhere a credential is required, it has the scope {scopes}{whose}."

    def _all_problems(self) -> dict[int, list[str]]:
        return self._with_own({400: ["INVALID_ARGUMENT"], 500: ["INTERNAL"]})

    def _with_own(self, general: dict[int, list[str]]) -> dict[int, list[str]]:
        for more in (self.problems, {} if self.access.is_public else _CREDENTIAL_PROBLEMS):
            for status, reasons in more.items():
                general[status] = list(dict.fromkeys([*general.get(status, []), *reasons]))
        return general


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyOperation(Operation, Generic[B]):
    """An operation whose request has a JSON body."""

    body: type[B]
    body_examples: Mapping[str, Any]
    body_required: bool = True
    """False when no body is the same as an empty object."""

    @override
    def shapes(self) -> list[type[msgspec.Struct]]:
        return [self.body, *Operation.shapes(self)]

    @override
    def _body(self) -> Json | None:
        content = {_JSON: _content(_reference(self.body), self.body_examples)}
        return {"required": self.body_required, "content": content}

    @override
    def _all_problems(self) -> dict[int, list[str]]:
        general = {
            400: ["INVALID_ARGUMENT", "MALFORMED_JSON"],
            500: ["INTERNAL"],
            408: ["BODY_TIMEOUT"],
            413: ["BODY_TOO_LARGE"],
            415: ["UNSUPPORTED_MEDIA_TYPE", "UNSUPPORTED_CONTENT_CODING"],
        }
        return self._with_own(general)


def _reference(shape: type[msgspec.Struct]) -> Json:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}


def _content(schema: Json, named: Mapping[str, Any]) -> Json:
    return {"schema": schema, "examples": {name: {"value": value} for name, value in named.items()}}


def _answer(answer: Answer) -> Json:
    headers = {name: _header(name) for name in ("X-Request-Id", *answer.headers)}
    schema = answer.schema()
    if schema is None:
        return {"description": answer.description, "headers": headers}
    return {
        "description": answer.description,
        "headers": headers,
        "content": {
            answer.media_type: _content(schema, answer.examples),
            **{kind: _content({"type": "string"}, {"text": text}) for kind, text in answer.others.items()},
        },
    }


def _problem(status: int, reasons: Sequence[str]) -> Json:
    lines = [f"- `{reason}`: {REASONS[reason].title}. {REASONS[reason].meaning}" for reason in reasons]
    headers = ["X-Request-Id"]
    if status in {429, 503}:
        headers.append("Retry-After")
    if status in {401, 403}:
        headers.append("WWW-Authenticate")
    if "RATE_LIMIT_REACHED" in reasons:
        headers += ["RateLimit-Policy", "RateLimit"]
    return {
        "description": "\n".join([_HTTP_WORDS[status], "", *lines]),
        "headers": {name: _header(name) for name in headers},
        "content": {
            _PROBLEM: _content(
                _reference(ProblemDocument), {reason: problem_examples.problem(reason, status) for reason in reasons}
            )
        },
    }


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}
