"""The documented operation of the audit log."""

from __future__ import annotations

from gateway_http.audit.audit_models import AuditEntry
from gateway_http.openapi.operation import READ_FAILURES, Answer, Many, Operation, Tag
from gateway_http.openapi.parameters import INSTANT, ONE_LINE, page_parameters, query_parameter
from gateway_http.openapi.problem_examples import Json
from gateway_http.openapi.route_access import calls

TAG = Tag("Audit", "Who changed what.")
SERVICES = ("messaging", "pricing")

_TEXT: Json = {"type": "string", "minLength": 1, "maxLength": 256}
_ENTRY: Json = {
    "entryId": 41,
    "at": "2026-12-15T08:00:00Z",
    "action": "account.updated",
    "subject": "user123",
    "userId": "user123",
    "principal": "operator:jane",
    "principalKind": "operator",
    "origin": "192.0.2.7",
    "requestId": "0192e4a07c2b7d3e9a51c6f0b8d4e2a1",
    "before": {"status": "active"},
    "after": {"status": "suspended"},
}

LIST_AUDIT_ENTRIES = Operation(
    "get",
    "/api/audit/entries",
    "listAuditEntries",
    TAG,
    "List who changed what",
    "Changes by hand and refused calls, newest first, from the log of one service: of accounts, money, carriers, "
    "opt-outs, webhooks, channels and keys in `messaging`, of prices in `pricing`. Entries are never changed or "
    "removed. Follow the `Link` header for the next page.",
    access=calls("AuditService/ListAuditEntries"),
    answers={
        200: Answer("The entries, newest first.", Many(AuditEntry), {"entries": [_ENTRY]}, headers=("Link",)),
    },
    problems=READ_FAILURES,
    parameters=(
        query_parameter("service", "Whose log; `messaging` unless given.", {"enum": list(SERVICES)}),
        query_parameter("action", "Only this action, or with a dot at its end a noun: `account.`.", _TEXT),
        query_parameter("principal", "Only changes that this caller asked for.", _TEXT),
        query_parameter("userId", "Only changes about this account.", ONE_LINE),
        query_parameter("subject", "Only changes of this.", _TEXT),
        query_parameter("from", "Only entries from this instant on.", INSTANT),
        query_parameter("to", "Only entries before this instant.", INSTANT),
        *page_parameters("Entries", 500),
    ),
)
