"""The parts that every documented operation is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway_http.openapi import examples
from gateway_http.openapi.examples import Json
from gateway_http.shared.problem_reasons import REASONS

_JSON = "application/json"
_PROBLEM = "application/problem+json"
_HTTP_WORDS = {
    400: "The request is not valid.",
    402: "The balance does not cover it.",
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


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of an operation that is not a problem."""

    description: str
    shape: str | Json | None
    """The name of a schema, or a schema; None for an answer without a body."""
    examples: Mapping[str, Any]
    headers: Sequence[str] = ()
    """Names in `components.headers`."""
    media_type: str = _JSON
    others: Mapping[str, str] = field(default_factory=dict)
    """An example of each other media type that it also comes in, all of them text."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one route."""

    method: str
    path: str
    operation_id: str
    tag: str
    summary: str
    description: str
    answers: Mapping[int, Answer]
    problems: Mapping[int, Sequence[str]]
    """The reasons of each error status that this operation has beside the general ones."""
    parameters: Sequence[Json] = field(default_factory=tuple)
    body: str | None = None
    body_examples: Mapping[str, Any] = field(default_factory=dict)
    body_required: bool = True

    def document(self) -> Json:
        """The Operation Object."""
        document: Json = {
            "operationId": self.operation_id,
            "tags": [self.tag],
            "summary": self.summary,
            "description": self.description,
            "parameters": [*self.parameters, {"$ref": "#/components/parameters/RequestId"}],
        }
        if self.body:
            document["requestBody"] = {
                "required": self.body_required,
                "content": {_JSON: _content(reference(self.body), self.body_examples)},
            }
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

    def _all_problems(self) -> dict[int, list[str]]:
        general: dict[int, list[str]] = {400: ["INVALID_ARGUMENT"], 500: ["INTERNAL"]}
        if self.body:
            general[400].append("MALFORMED_JSON")
            general |= {
                408: ["BODY_TIMEOUT"],
                413: ["BODY_TOO_LARGE"],
                415: ["UNSUPPORTED_MEDIA_TYPE", "UNSUPPORTED_CONTENT_CODING"],
            }
        for status, reasons in self.problems.items():
            general[status] = [*general.get(status, []), *reasons]
        return general


def reference(schema: str) -> Json:
    """A reference to a schema of the components."""
    return {"$ref": f"#/components/schemas/{schema}"}


def query_parameter(name: str, description: str, schema: Json, *, required: bool = False) -> Json:
    """A Parameter Object in the query."""
    return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}


_INSTANT: Json = {"type": "string", "format": "date-time"}
PERIOD_PARAMETERS = (
    query_parameter("from", "The first instant of the period; with `to`, unless a `period` is given.", _INSTANT),
    query_parameter("to", "The first instant after the period.", _INSTANT),
    query_parameter(
        "period",
        "A month of Nairobi (UTC+3), instead of `from` and `to`.",
        {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$", "examples": ["2026-10"]},
    ),
)
"""What a period is asked for by."""


def header_parameter(name: str, description: str, schema: Json) -> Json:
    """A Parameter Object in the headers."""
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


def path_parameter(name: str, description: str, example: str) -> Json:
    """A Parameter Object in the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "minLength": 1},
        "example": example,
    }


def _content(schema: Json, named: Mapping[str, Any]) -> Json:
    return {"schema": schema, "examples": {name: {"value": value} for name, value in named.items()}}


def _answer(answer: Answer) -> Json:
    headers = {name: _header(name) for name in ("X-Request-Id", *answer.headers)}
    if answer.shape is None:
        return {"description": answer.description, "headers": headers}
    schema = reference(answer.shape) if isinstance(answer.shape, str) else answer.shape
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
    return {
        "description": "\n".join([_HTTP_WORDS[status], "", *lines]),
        "headers": {name: _header(name) for name in headers},
        "content": {
            _PROBLEM: _content(
                reference("ProblemDocument"), {reason: examples.problem(reason, status) for reason in reasons}
            )
        },
    }


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}
