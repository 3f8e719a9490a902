"""The OpenAPI 3.1 document of all routes."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import msgspec

from gateway_http.accounts import account_operations
from gateway_http.accounts.account_models import Balance, NewTopUp, Statement, TopUpAnswer
from gateway_http.alerts import alert_operations
from gateway_http.alerts.alert_models import Acknowledgement, Alert, AlertRules
from gateway_http.channels import channel_operations
from gateway_http.channels.channel_models import Channel, ChannelChange, ChannelDelivery, ChannelReplay, NewChannel
from gateway_http.costs import cost_operations
from gateway_http.costs.cost_models import CostHistoryRow, CurrentCost, NewCost, NewWithdrawal, RecordedCost
from gateway_http.costs.price_models import ResolvedPrice
from gateway_http.openapi.examples import Json
from gateway_http.openapi.operation import Operation
from gateway_http.outbox.outbox_event_models import OutboxEvent
from gateway_http.outbox.outbox_models import ErrorCode, OutboxEntry, SendSmsAnswer, UpdateAnswer
from gateway_http.reports import report_operations
from gateway_http.reports.report_models import CostReport
from gateway_http.shared.problem import ProblemDocument
from gateway_http.shared.problem_reasons import FIELD_REASONS, REASONS
from gateway_http.sms import sms_operations
from gateway_http.sms.batch_models import BatchAnswer, NewBatch
from gateway_http.sms.quote_models import NewQuote, Quote
from gateway_http.sms.sms_models import NewSms, NoFields, OutboxReference
from gateway_http.suppressions import suppression_operations
from gateway_http.suppressions.suppression_models import (
    AddedSuppression,
    NewSuppression,
    Suppression,
    SuppressionAnswer,
    SuppressionQuestion,
)
from gateway_http.system import system_operations
from gateway_http.system.health_routes import Alive, Readiness
from gateway_http.webhooks import webhook_operations
from gateway_http.webhooks.webhook_models import (
    NewWebhook,
    Replayed,
    ReplayOrder,
    SecretRotation,
    Webhook,
    WebhookChange,
    WebhookDelivery,
    WebhookWithSecret,
)

OPERATIONS: tuple[Operation, ...] = (
    *sms_operations.OPERATIONS,
    *account_operations.OPERATIONS,
    *report_operations.OPERATIONS,
    *suppression_operations.OPERATIONS,
    *webhook_operations.OPERATIONS,
    *alert_operations.OPERATIONS,
    *channel_operations.OPERATIONS,
    *cost_operations.OPERATIONS,
    *system_operations.OPERATIONS,
)
_SHAPES = (
    NewSms,
    SendSmsAnswer,
    NewBatch,
    BatchAnswer,
    NewQuote,
    Quote,
    OutboxReference,
    NoFields,
    UpdateAnswer,
    OutboxEntry,
    OutboxEvent,
    ErrorCode,
    Balance,
    NewTopUp,
    TopUpAnswer,
    Statement,
    CostReport,
    NewSuppression,
    AddedSuppression,
    Suppression,
    SuppressionQuestion,
    SuppressionAnswer,
    NewWebhook,
    WebhookWithSecret,
    Webhook,
    WebhookChange,
    SecretRotation,
    WebhookDelivery,
    ReplayOrder,
    Replayed,
    AlertRules,
    Acknowledgement,
    Alert,
    NewChannel,
    Channel,
    ChannelChange,
    ChannelDelivery,
    ChannelReplay,
    NewCost,
    RecordedCost,
    CurrentCost,
    CostHistoryRow,
    ResolvedPrice,
    NewWithdrawal,
    Readiness,
    Alive,
    ProblemDocument,
)
_TAGS = [
    {
        "name": sms_operations.SENDING,
        "description": "SMS, one or many: quoted, or priced, recorded and sent.",
    },
    {"name": sms_operations.OUTBOX_TAG, "description": "What became of every SMS."},
    {"name": account_operations.TAG, "description": "What accounts have, pay and owe."},
    {"name": report_operations.TAG, "description": "What messages cost, by groups."},
    {"name": suppression_operations.TAG, "description": "Who wants no messages, from whom."},
    {"name": webhook_operations.TAG, "description": "Events, posted to your systems."},
    {"name": alert_operations.TAG, "description": "Warnings of what goes wrong, or soon will."},
    {"name": channel_operations.TAG, "description": "Where people are told of alerts and failures."},
    {"name": cost_operations.TAG, "description": "What one SMS unit costs, for whom, and since when."},
    {"name": system_operations.TAG, "description": "Probes and this documentation."},
]
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


def openapi() -> Json:
    """The document, made from the structs that the routes parse and render with."""
    _, schemas = msgspec.json.schema_components(_SHAPES, ref_template="#/components/schemas/{name}")
    paths: Json = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = operation.document()
    return {
        "openapi": "3.1.0",
        "info": {"title": "TukuPay SMS", "version": _version(), "description": _description()},
        "servers": [{"url": "/", "description": "This gateway"}],
        "tags": _TAGS,
        "paths": paths,
        "components": {"schemas": schemas, "headers": _HEADERS, "parameters": _PARAMETERS},
    }


def openapi_json() -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(openapi())


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
