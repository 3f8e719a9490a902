"""Builds the gateway from its settings, and runs it until it is asked to stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack

import structlog
from grpc import aio
from starlette.routing import Route

from gateway_http.access.answer_headers import answer_headers
from gateway_http.access.key_metrics import KeyCacheCollector
from gateway_http.access.noted_refusals import NotedRefusals
from gateway_http.access.required_access import RequiredAccess
from gateway_http.accounts.account_routes import AccountRoutes
from gateway_http.alerts.alert_routes import AlertRoutes
from gateway_http.app import GatewayApp
from gateway_http.audit.audit_routes import AuditRoutes
from gateway_http.callbacks.africastalking_routes import AfricasTalkingRoutes, CallbackRoute
from gateway_http.callbacks.callback_gate import CallbackGate
from gateway_http.channels.channel_routes import ChannelRoutes
from gateway_http.costs.cost_routes import CostRoutes
from gateway_http.feedback.feedback_routes import FeedbackRoutes
from gateway_http.gateway_metrics import CredentialMetrics, RequestMetrics, SendMetrics
from gateway_http.keys.key_routes import KeyRoutes
from gateway_http.outbox.outbox_routes import OutboxRoutes
from gateway_http.privacy.privacy_routes import PrivacyRoutes
from gateway_http.reports.report_routes import ReportRoutes
from gateway_http.rest_api import RestApi, openapi_json
from gateway_http.settings import OPEN, REQUIRED, GatewaySettings
from gateway_http.shared.admission import Admission, OpenAdmission
from gateway_http.shared.request_tracing import TracedAdmission
from gateway_http.shared.route import RestRoute
from gateway_http.sms.batch_routes import BatchRoutes
from gateway_http.sms.coalescer import SendCoalescer
from gateway_http.sms.quote_routes import QuoteRoutes
from gateway_http.sms.send_sms_route import SendSmsRoute
from gateway_http.suppressions.suppression_routes import SuppressionRoutes
from gateway_http.system.documentation_routes import DocumentationRoutes
from gateway_http.system.health_routes import HealthRoutes
from gateway_http.system.part_states import GatewayReadiness, PartStates
from gateway_http.webhooks.webhook_routes import WebhookRoutes
from service_kit.access.method_rules import RulesError
from service_kit.access.oidc.verifier import FileVerifier
from service_kit.access.own_token import own_token
from service_kit.audit import refusal_duty
from service_kit.audit.refusal_duty import RefusalDuty
from service_kit.audit.refused_calls import RefusedCalls
from service_kit.duties.duty_failures import DutyFailures
from service_kit.duties.ending import end_tasks
from service_kit.duties.keep_running import keep_running
from service_kit.grpc.channel import open_channel
from service_kit.grpc.credentialed_channel import Credential
from service_kit.grpc.grpc_metrics import ClientCalls, counted_stub
from service_kit.grpc.leaving_servers import Elsewhere
from service_kit.metrics.exposition import metrics_served
from service_kit.metrics.registry import new_registry
from service_kit.process_name import process_name
from service_kit.tls.tls_uses import TlsUses
from service_kit.tracing.open_tracing import open_tracing
from service_kit.tracing.span import trace_metadata
from service_kit.web.http_server import HttpServer
from service_kit.web.probe_listener import Probes, probes_served
from tukupay.sms.common.v1 import audit_pb2_grpc
from tukupay.sms.messaging.v1 import (
    access_pb2_grpc,
    accounts_pb2_grpc,
    alerts_pb2_grpc,
    carrier_callbacks_pb2_grpc,
    channels_pb2_grpc,
    events_pb2_grpc,
    feedback_pb2_grpc,
    messaging_pb2,
    messaging_pb2_grpc,
    privacy_pb2_grpc,
    reports_pb2_grpc,
    suppressions_pb2_grpc,
    webhooks_pb2_grpc,
)
from tukupay.sms.pricing.v1 import pricing_pb2_grpc

log = structlog.get_logger()


class Gateway:
    """Everything that a running gateway consists of."""

    def __init__(
        self,
        settings: GatewaySettings,
        pricing: aio.Channel,
        messaging: aio.Channel,
        *,
        tls: TlsUses | None = None,
    ) -> None:
        """`tls`: what the channels use of it, to be shown in the metrics; None for nothing.

        Raises SettingsError when the certificate of its HTTP server cannot be used.
        """
        self.registry = new_registry("gateway")
        tls = tls or TlsUses()
        self.registry.register(tls)
        certificate = tls.open("server", settings.tls.files)
        calls = ClientCalls(self.registry)
        sends = SendMetrics(self.registry, calls)
        stub = counted_stub(messaging_pb2_grpc.MessagingServiceStub(messaging), "MessagingService", calls)
        opt_outs = counted_stub(suppressions_pb2_grpc.SuppressionServiceStub(messaging), "SuppressionService", calls)
        accounts = counted_stub(accounts_pb2_grpc.AccountServiceStub(messaging), "AccountService", calls)
        reports = counted_stub(reports_pb2_grpc.ReportServiceStub(messaging), "ReportService", calls)
        callbacks = counted_stub(
            carrier_callbacks_pb2_grpc.CarrierCallbackServiceStub(messaging), "CarrierCallbackService", calls
        )
        alerts = counted_stub(alerts_pb2_grpc.AlertServiceStub(messaging), "AlertService", calls)
        channels = counted_stub(channels_pb2_grpc.ChannelServiceStub(messaging), "ChannelService", calls)
        events = counted_stub(events_pb2_grpc.EventServiceStub(messaging), "EventService", calls)
        feedback = counted_stub(feedback_pb2_grpc.FeedbackServiceStub(messaging), "FeedbackService", calls)
        privacy = counted_stub(privacy_pb2_grpc.PrivacyServiceStub(messaging), "PrivacyService", calls)
        webhooks = counted_stub(webhooks_pb2_grpc.WebhookServiceStub(messaging), "WebhookService", calls)
        keys = counted_stub(access_pb2_grpc.AccessServiceStub(messaging), "AccessService", calls)
        audits = {
            part: counted_stub(audit_pb2_grpc.AuditServiceStub(channel), "AuditService", calls)
            for part, channel in (("messaging", messaging), ("pricing", pricing))
        }
        costs = counted_stub(pricing_pb2_grpc.PricingServiceStub(pricing), "PricingService", calls)

        self.coalescer = SendCoalescer(
            _send_batch(stub, settings.send_deadline_s),
            spacing_s=settings.batch_spacing_ms / 1_000,
            max_items=settings.batch_max_items,
            max_outstanding=settings.max_outstanding_sends,
            meter=sends,
        )
        sends.watch(lambda: self.coalescer.outstanding)
        credentials = CredentialMetrics(self.registry)
        denied = RefusedCalls(time.monotonic)
        failures = DutyFailures(self.registry, (refusal_duty.DUTY,))
        self._noting = RefusalDuty(denied, NotedRefusals(audits["messaging"]), failures)
        self._duties: list[asyncio.Task[object]] = []
        self._access: RequiredAccess | None = None
        self._tokens = None if settings.issuers_file is None else FileVerifier(settings.issuers_file)
        admission: Admission = OpenAdmission(settings.trusted_proxies)
        if settings.access == REQUIRED:
            self._access = RequiredAccess(
                keys,
                calls,
                credentials,
                proxies=settings.trusted_proxies,
                bad_per_minute=settings.bad_credentials_per_minute,
                denied=denied,
                tokens=self._tokens,
            )
            admission = self._access.admission
        self.registry.register(KeyCacheCollector(None if self._access is None else self._access.keys))
        parts = PartStates({"pricing": pricing, "messaging": messaging})
        self.readiness = GatewayReadiness(parts, time.monotonic)
        self.tracing = open_tracing(
            settings.tracing,
            self.registry,
            service="gateway",
            instance=process_name(),
            ratio=settings.tracing.sample_ratio,
        )
        if self.tracing.tracer is not None:
            admission = TracedAdmission(admission, self.tracing.tracer)
        api = RestApi(
            send=SendSmsRoute(self.coalescer, settings.outcome_wait_s, admission),
            batches=BatchRoutes(
                self.coalescer,
                outcome_wait_s=settings.outcome_wait_s,
                max_batches=settings.max_batches,
                admission=admission,
            ),
            quotes=QuoteRoutes(stub),
            outbox=OutboxRoutes(
                stub, events, outcome_wait_s=settings.outcome_wait_s, send_deadline_s=settings.send_deadline_s
            ),
            feedback=FeedbackRoutes(feedback),
            accounts=AccountRoutes(accounts),
            reports=ReportRoutes(reports),
            suppressions=SuppressionRoutes(opt_outs),
            privacy=PrivacyRoutes(privacy),
            webhooks=WebhookRoutes(webhooks),
            alerts=AlertRoutes(alerts),
            channels=ChannelRoutes(channels),
            costs=CostRoutes(costs),
            keys=KeyRoutes(keys),
            audit=AuditRoutes(audits),
            health=HealthRoutes(parts),
            documentation=DocumentationRoutes(openapi_json(is_open=settings.access == OPEN)),
        )
        gate = CallbackGate(settings.africastalking_secrets, settings.africastalking_allow, settings.trusted_proxies)
        self.routes: list[Route] = [
            *api.routes(admission),
            *AfricasTalkingRoutes(callbacks, gate).routes(),
        ]
        _require_rules(self.routes)
        requests = RequestMetrics(self.registry)
        requests.show(self.routes)
        self.app = GatewayApp(api.send, self.routes, requests)
        self.http = HttpServer(
            settings.http_address,
            self.app,
            drain_s=settings.drain_s,
            max_connections=settings.max_connections,
            refused=self.app.refused,
            headers=answer_headers(
                is_open=settings.access == OPEN, is_over_tls=certificate is not None or settings.tls.is_proxied
            ),
            tls=certificate,
        )

    @property
    def probes(self) -> Probes:
        """What an orchestrator is told."""
        return Probes(
            ready=self.readiness.problem,
            started=lambda: None if self.http.port else "the gateway is starting",
        )

    async def start(self) -> None:
        """Begins to serve; raises OSError when the address cannot be had."""
        if self._access is not None:
            self._access.start()
            self._duties.append(keep_running(refusal_duty.DUTY, self._noting.run()))
        await self.http.start()

    async def stop(self, drain_s: float) -> None:
        """Accepts nothing new, and gives requests up to `drain_s` to end."""
        ending = asyncio.ensure_future(self.http.stop())
        await asyncio.wait([ending], timeout=drain_s)
        # Sends that still wait are answered that their outcome is open, which a cut connection would not say.
        await self.coalescer.close()
        await ending
        await end_tasks(self._duties)
        if self._access is not None:
            await self._access.stop()
        if self._tokens is not None:
            await self._tokens.close()
        await self.tracing.close()


def _send_batch(
    stub: messaging_pb2_grpc.MessagingServiceAsyncStub, deadline_s: float
) -> Callable[[messaging_pb2.SendSmsBatchRequest], AsyncIterator[messaging_pb2.SendSmsBatchResponse]]:
    elsewhere = Elsewhere()

    def send(request: messaging_pb2.SendSmsBatchRequest) -> AsyncIterator[messaging_pb2.SendSmsBatchResponse]:
        metadata = trace_metadata()
        return elsewhere.stream(lambda: stub.SendSmsBatch(request, timeout=deadline_s, metadata=metadata))

    return send


def _require_rules(routes: Sequence[Route]) -> None:
    """Raises RulesError for routes that say nothing of who may use them: those of operations and of carriers do."""
    without = [route.path for route in routes if not isinstance(route, (RestRoute, CallbackRoute))]
    if without:
        raise RulesError(f"routes without a rule of access: {', '.join(without)}")


async def serve(settings: GatewaySettings, stopping: asyncio.Event) -> None:
    """Serves until `stopping` is set, then ends running requests; raises OSError when the port is taken."""
    token: Credential | None = None if settings.service_token is None else own_token(settings.service_token)
    uses = TlsUses()
    tls = uses.open("services", settings.services_tls.files)
    async with AsyncExitStack() as stack:
        pricing = await stack.enter_async_context(open_channel(settings.pricing_address, token, tls=tls))
        messaging = await stack.enter_async_context(open_channel(settings.messaging_address, token, tls=tls))
        gateway = Gateway(settings, pricing, messaging, tls=uses)
        stack.push_async_callback(end_tasks, [keep_running("tls", uses.run())])
        await stack.enter_async_context(metrics_served(settings.metrics_address, gateway.registry))
        if settings.access == OPEN:
            log.warning(
                "gateway.open",
                meaning="callers are not asked who they are, and may do everything",
                remedy="set GATEWAY_ACCESS to required wherever others than you can reach it",
            )
        await stack.enter_async_context(probes_served(settings.probes_address, gateway.probes))
        if settings.probes_address is not None:
            stack.push_async_callback(end_tasks, [keep_running("readiness", gateway.readiness.run())])
        await gateway.start()
        log.info("gateway.listening", address=settings.http_address.host, port=gateway.http.port)
        await stopping.wait()
        log.info("gateway.draining")
        gateway.readiness.end()
        gateway.http.release()
        await asyncio.sleep(settings.pre_drain_s)
        await gateway.stop(settings.drain_s)
