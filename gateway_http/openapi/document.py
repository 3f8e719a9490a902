"""The OpenAPI 3.1 document of the operations that routes declare."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway_http.openapi.operation import SECURITY_SCHEME, Operation
from gateway_http.openapi.problem_examples import Json
from gateway_http.shared.problem import ProblemDocument
from gateway_http.shared.problem_reasons import FIELD_REASONS, REASONS
from service_kit.version import VERSION

_HEADERS: Json = {
    "X-Request-Id": {
        "description": "The request's id: yours when you sent a safe one, else a new one. Quote it in questions.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds after which trying again makes sense.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "What is missing, as RFC 6750 writes it: `Bearer`, with an `error` when a credential was given "
        "that is not valid (`invalid_token`) or lacks a scope (`insufficient_scope`, with the `scope`). Absent when "
        "the account is another one's.",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "The limit that refused the request, when it counts messages: its name, `q` messages in `w` "
        "seconds. By draft-ietf-httpapi-ratelimit-headers-10, which may change.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What is left of that limit: `r` messages, and more in `t` seconds. By the same draft.",
        "schema": {"type": "string"},
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
_SECURITY_SCHEMES: Json = {
    SECURITY_SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`tk_live_…`, `tk_test_…`) or a token of an identity provider, as "
        "`Authorization: Bearer …`. A gateway that answers with `X-Sms-Mode: open` asks nobody for one.",
    }
}


def document(operations: Sequence[Operation], *, is_open: bool) -> Json:
    """The document, made from the structs that the routes parse and render with.

    `is_open`: whether it is of a system that requires no credential.
    """
    shapes = dict.fromkeys(shape for operation in operations for shape in operation.shapes())
    _, schemas = msgspec.json.schema_components([*shapes, ProblemDocument], ref_template="#/components/schemas/{name}")
    tags = dict.fromkeys(operation.tag for operation in operations)
    paths: Json = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = operation.document(is_open=is_open)
    return {
        "openapi": "3.1.0",
        "info": {"title": "TukuPay SMS", "version": VERSION, "description": _description()},
        "servers": [{"url": "/", "description": "This gateway"}],
        "tags": [{"name": tag.name, "description": tag.description} for tag in tags],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": _HEADERS,
            "parameters": _PARAMETERS,
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


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
            "Say who calls with `Authorization: Bearer` and an API key or a token; each route names the scope that it "
            "needs. A system on a developer's machine is open: it asks for none, and answers with `X-Sms-Mode: open`.",
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
