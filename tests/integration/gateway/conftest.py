"""A gateway on a real port, with doubles of the services behind it on real gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from gateway_http.bootstrap import Gateway
from gateway_http.settings import GatewaySettings
from messaging_service.wiring.services import SERVICES
from service_kit.access.principal import OPEN, Principal
from service_kit.audit.audit_servicer import SERVICE_NAME as AUDIT
from service_kit.grpc.access_control import Metadata, Peer
from service_kit.grpc.authentication import OpenAccess
from service_kit.grpc.channel import open_channel
from service_kit.grpc.grpc_server import GrpcServer
from service_kit.settings import Address
from tests.doubles.access_double import AccessDouble
from tests.doubles.account_double import AccountDouble
from tests.doubles.alert_double import AlertDouble
from tests.doubles.audit_double import AuditDouble
from tests.doubles.callback_double import CallbackDouble
from tests.doubles.channel_double import ChannelDouble
from tests.doubles.feedback_double import FeedbackDouble
from tests.doubles.gateway_doubles import PRICING, MessagingDouble, PricingDouble
from tests.doubles.privacy_double import PrivacyDouble
from tests.doubles.report_double import ReportDouble
from tests.doubles.suppression_double import SuppressionDouble
from tests.doubles.webhook_double import WebhookDouble
from tukupay.sms.common.v1 import audit_pb2_grpc
from tukupay.sms.messaging.v1 import (
    access_pb2_grpc,
    accounts_pb2_grpc,
    alerts_pb2_grpc,
    carrier_callbacks_pb2_grpc,
    channels_pb2_grpc,
    events_pb2_grpc,
    feedback_pb2_grpc,
    messaging_pb2_grpc,
    privacy_pb2_grpc,
    reports_pb2_grpc,
    suppressions_pb2_grpc,
    webhooks_pb2_grpc,
)
from tukupay.sms.pricing.v1 import pricing_pb2_grpc

ANY_PORT = Address("127.0.0.1", 0)


class NotedCallers(OpenAccess):
    """Believes whom the gateway calls for, and keeps their ids, also of calls that a rule refuses then."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []

    async def __call__(self, metadata: Metadata, peer: Peer) -> Principal:
        principal = await super().__call__(metadata, peer)
        if principal is not OPEN:
            self.ids.append(principal.id)
        return principal


@dataclass
class Running:
    """A gateway with everything around it."""

    http: httpx.AsyncClient
    port: int
    pricing: PricingDouble
    messaging: MessagingDouble
    suppressions: SuppressionDouble
    accounts: AccountDouble
    reports: ReportDouble
    webhooks: WebhookDouble
    alerts: AlertDouble
    channels: ChannelDouble
    keys: AccessDouble
    feedback: FeedbackDouble
    privacy: PrivacyDouble
    audits: dict[str, AuditDouble]
    pricing_server: GrpcServer
    messaging_server: GrpcServer
    gateway: Gateway
    callers: NotedCallers


@asynccontextmanager
async def running_gateway(
    settings: GatewaySettings | None = None, callbacks: CallbackDouble | None = None
) -> AsyncIterator[Running]:
    """Starts doubles and a gateway between them and a client; stops all at the end."""
    pricing, messaging, suppressions, accounts = (
        PricingDouble(),
        MessagingDouble(),
        SuppressionDouble(),
        AccountDouble(),
    )
    keys, feedback, callers = AccessDouble(), FeedbackDouble(), NotedCallers()
    privacy = PrivacyDouble()
    audits = {"messaging": AuditDouble(), "pricing": AuditDouble()}
    reports, webhooks, alerts, channels = ReportDouble(), WebhookDouble(), AlertDouble(), ChannelDouble()
    pricing_server = GrpcServer(ANY_PORT, [PRICING, AUDIT], authenticate=callers)
    messaging_server = GrpcServer(ANY_PORT, SERVICES, authenticate=callers)
    pricing_pb2_grpc.add_PricingServiceServicer_to_server(pricing, pricing_server.grpc)
    messaging_pb2_grpc.add_MessagingServiceServicer_to_server(messaging, messaging_server.grpc)
    events_pb2_grpc.add_EventServiceServicer_to_server(messaging, messaging_server.grpc)
    suppressions_pb2_grpc.add_SuppressionServiceServicer_to_server(suppressions, messaging_server.grpc)
    if callbacks is not None:
        carrier_callbacks_pb2_grpc.add_CarrierCallbackServiceServicer_to_server(callbacks, messaging_server.grpc)
    accounts_pb2_grpc.add_AccountServiceServicer_to_server(accounts, messaging_server.grpc)
    reports_pb2_grpc.add_ReportServiceServicer_to_server(reports, messaging_server.grpc)
    alerts_pb2_grpc.add_AlertServiceServicer_to_server(alerts, messaging_server.grpc)
    channels_pb2_grpc.add_ChannelServiceServicer_to_server(channels, messaging_server.grpc)
    webhooks_pb2_grpc.add_WebhookServiceServicer_to_server(webhooks, messaging_server.grpc)
    access_pb2_grpc.add_AccessServiceServicer_to_server(keys, messaging_server.grpc)
    feedback_pb2_grpc.add_FeedbackServiceServicer_to_server(feedback, messaging_server.grpc)
    privacy_pb2_grpc.add_PrivacyServiceServicer_to_server(privacy, messaging_server.grpc)
    audit_pb2_grpc.add_AuditServiceServicer_to_server(audits["messaging"], messaging_server.grpc)
    audit_pb2_grpc.add_AuditServiceServicer_to_server(audits["pricing"], pricing_server.grpc)
    async with AsyncExitStack() as stack:
        opened = []
        for server in (pricing_server, messaging_server):
            await server.start()
            stack.push_async_callback(server.stop, 0)
            await server.set_serving(True)
            opened.append(await stack.enter_async_context(open_channel(Address("127.0.0.1", server.port))))
        gateway = Gateway(settings or GatewaySettings(http_address=ANY_PORT), *opened)
        await gateway.start()
        stack.push_async_callback(gateway.stop, 10.0)
        stack.callback(messaging.release.set)
        port = gateway.http.port
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20))
        yield Running(
            http,
            port,
            pricing,
            messaging,
            suppressions,
            accounts,
            reports,
            webhooks,
            alerts,
            channels,
            keys,
            feedback,
            privacy,
            audits,
            pricing_server,
            messaging_server,
            gateway,
            callers,
        )


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with running_gateway() as everything:
        yield everything
