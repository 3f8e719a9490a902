"""The OpenAPI 3.1 document of the operations that routes declare."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import msgspec

from gateway_http.openapi.operation import Operation
from gateway_http.openapi.problem_examples import Json
from gateway_http.shared.problem import ProblemDocument
from gateway_http.shared.problem_reasons import FIELD_REASONS, REASONS

_HEADERS: Json = {
    "X-Request-Id": {
        "description": "The request's id: yours when you sent a safe one, else a new one. Quote it in questions.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds after which trying again makes sense.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Idempotent-Replay": {
        "description": "`true` when the `messageId` or the `Idempotency-Key` was known and this is what it stands "
        "for; absent otherwise.",
        "schema": {"enum": ["true"]},
    },
    "Link": {
        "description": 'The next page, as `<…>; rel="next"`; absent on the last one.',
        "schema": {"type": "string"},
    },
}
_PARAMETERS: Json = {
    "RequestId": {
        "name": "X-Request-Id",
        "in": "header",
        "required": False,
        "description": "Your id for this request, 1 to 128 letters, digits and `._~:/+=@-`. One is made without it.",
        "schema": {"type": "string"},
    }
}


def document(operations: Sequence[Operation]) -> Json:
    """The document, made from the structs that the routes parse and render with."""
    shapes = dict.fromkeys(shape for operation in operations for shape in operation.shapes())
    _, schemas = msgspec.json.schema_components([*shapes, ProblemDocument], ref_template="#/components/schemas/{name}")
    tags = dict.fromkeys(operation.tag for operation in operations)
    paths: Json = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = operation.document()
    return {
        "openapi": "3.1.0",
        "info": {"title": "TukuPay SMS", "version": _version(), "description": _description()},
        "servers": [{"url": "/", "description": "This gateway"}],
        "tags": [{"name": tag.name, "description": tag.description} for tag in tags],
        "paths": paths,
        "components": {"schemas": schemas, "headers": _HEADERS, "parameters": _PARAMETERS},
    }


def _version() -> str:
    try:
        return version("tukupay-sms")
    except PackageNotFoundError:
        # Run from a checkout that was not installed.
        return "0"


def _description() -> str:
    reasons = [f"| `{name}` | {r.status} | {r.title}. {r.meaning} |" for name, r in REASONS.items()]
    fields = [f"| `{name}` | {meaning} |" for name, meaning in FIELD_REASONS.items()]
    return "\n".join(
        [
            "Send SMS, see what became of them, and manage what they cost.",
            "",
            "Amounts are exact decimals in KES with at least one decimal place (`0.6`, `1.0`). Times are RFC 3339: "
            "an offset is required in requests, answers are in UTC with a `Z`, and show six decimals of the second "
            "when there is a fraction. Unknown fields and parameters are refused by name; `null` for an optional "
            "field is the same as leaving it out.",
            "",
            "Errors are RFC 9457 problem documents. Branch on `reason`:",
            "",
            "| reason | status | meaning |",
            "| --- | --- | --- |",
            *reasons,
            "",
            "Inside `errors[]`:",
            "",
            "| reason | meaning |",
            "| --- | --- |",
            *fields,
        ]
    )
