"""The documented operations for operators: probes and this documentation."""

from __future__ import annotations

from gateway_http.openapi.operation import Answer, Operation, Tag
from gateway_http.openapi.route_access import PUBLIC
from gateway_http.system.system_models import Alive, Readiness

DOCS = "/docs"

TAG = Tag("Operation", "Probes and this documentation.")

IS_ALIVE = Operation(
    "get",
    "/healthz",
    "isAlive",
    TAG,
    "Is the process alive?",
    "Answers as long as the process does, whatever the state of the services behind it.",
    access=PUBLIC,
    answers={200: Answer("It is.", Alive, {"alive": {"status": "alive"}})},
    problems={},
)

IS_READY = Operation(
    "get",
    "/readyz",
    "isReady",
    TAG,
    "Can requests be served?",
    "Asks both services how they are, and names the one that cannot serve.",
    access=PUBLIC,
    answers={
        200: Answer(
            "Both services are serving.",
            Readiness,
            {"ready": {"status": "ready", "parts": {"pricing": "serving", "messaging": "serving"}}},
        ),
        503: Answer(
            "At least one service is not.",
            Readiness,
            {
                "messagingDown": {
                    "status": "not ready",
                    "parts": {"pricing": "serving", "messaging": "unreachable"},
                }
            },
        ),
    },
    problems={},
)

GET_OPEN_API = Operation(
    "get",
    "/openapi.json",
    "getOpenApi",
    TAG,
    "This document",
    "The OpenAPI 3.1 document of all routes.",
    access=PUBLIC,
    answers={200: Answer("The document.", {"type": "object"}, {})},
    problems={},
)

GET_ROOT = Operation(
    "get",
    "/",
    "getRoot",
    TAG,
    "The bare address",
    "Redirects to the documentation page.",
    access=PUBLIC,
    answers={307: Answer("`Location` is the documentation page.", None, {})},
    problems={},
)

GET_DOCS = Operation(
    "get",
    DOCS,
    "getDocs",
    TAG,
    "The documentation page",
    "This document, readable, with a curl for every route. Needs no other host.",
    access=PUBLIC,
    answers={200: Answer("The page.", {"type": "string"}, {}, media_type="text/html")},
    problems={},
)
