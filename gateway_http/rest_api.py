"""Every class of routes that the gateway serves, and the document of what they declare."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import get_type_hints

import msgspec

from gateway_http.accounts.account_routes import AccountRoutes
from gateway_http.alerts.alert_routes import AlertRoutes
from gateway_http.audit.audit_routes import AuditRoutes
from gateway_http.channels.channel_routes import ChannelRoutes
from gateway_http.costs.cost_routes import CostRoutes
from gateway_http.feedback.feedback_routes import FeedbackRoutes
from gateway_http.keys.key_routes import KeyRoutes
from gateway_http.openapi.document import document
from gateway_http.openapi.operation import Operation
from gateway_http.openapi.problem_examples import Json
from gateway_http.outbox.outbox_routes import OutboxRoutes
from gateway_http.privacy.privacy_routes import PrivacyRoutes
from gateway_http.reports.report_routes import ReportRoutes
from gateway_http.shared.admission import Admission
from gateway_http.shared.route import RestRoute, RestRoutes
from gateway_http.sms.batch_routes import BatchRoutes
from gateway_http.sms.quote_routes import QuoteRoutes
from gateway_http.sms.send_sms_route import SendSmsRoute
from gateway_http.suppressions.suppression_routes import SuppressionRoutes
from gateway_http.system.documentation_routes import DocumentationRoutes
from gateway_http.system.health_routes import HealthRoutes
from gateway_http.webhooks.webhook_routes import WebhookRoutes


@dataclass(frozen=True, slots=True)
class RestApi:
    """The classes of routes, in the order of the document. What is not a field is neither served nor documented."""

    send: SendSmsRoute
    batches: BatchRoutes
    quotes: QuoteRoutes
    outbox: OutboxRoutes
    feedback: FeedbackRoutes
    accounts: AccountRoutes
    reports: ReportRoutes
    suppressions: SuppressionRoutes
    privacy: PrivacyRoutes
    webhooks: WebhookRoutes
    alerts: AlertRoutes
    channels: ChannelRoutes
    costs: CostRoutes
    keys: KeyRoutes
    audit: AuditRoutes
    health: HealthRoutes
    documentation: DocumentationRoutes

    def routes(self, admission: Admission) -> list[RestRoute]:
        """The routes to mount beside the hot one; `admission` lets callers in."""
        nouns = [getattr(self, field.name) for field in fields(self)]
        return [route for noun in nouns if isinstance(noun, RestRoutes) for route in noun.routes(admission)]


OPERATIONS: tuple[Operation, ...] = tuple(
    operation for routes in get_type_hints(RestApi).values() for operation in routes.operations()
)


def openapi(*, is_open: bool = False) -> Json:
    """The OpenAPI document; `is_open`: of a system that requires no credential."""
    return document(OPERATIONS, is_open=is_open)


def openapi_json(*, is_open: bool) -> bytes:
    """The same as JSON."""
    return msgspec.json.encode(openapi(is_open=is_open))
