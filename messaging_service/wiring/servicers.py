"""The gRPC services, each over what does its work."""

from __future__ import annotations

from messaging_service.accounts.grpc.account_servicer import AccountServicer
from messaging_service.accounts.grpc.billing_servicer import BillingServicer
from messaging_service.accounts.postgres.postgres_ledger_store import PostgresLedgerStore
from messaging_service.carriers.grpc.carrier_servicer import CarrierServicer
from messaging_service.opt_outs.grpc.suppression_servicer import SuppressionServicer
from messaging_service.prices.client.book_client import BookClient
from messaging_service.prices.client.copy_audit import CopyAudit
from messaging_service.prices.quote_sms import QuoteSms
from messaging_service.receipts.grpc.carrier_callback_servicer import CarrierCallbackServicer
from messaging_service.reports.audit_costs import AuditCosts
from messaging_service.reports.grpc.report_servicer import ReportServicer
from messaging_service.reports.postgres.cost_records import PostgresCostRecords
from messaging_service.reports.postgres.invoice_records import PostgresInvoiceRecords
from messaging_service.reports.postgres.traffic_rows import PostgresTraffic
from messaging_service.reports.reconcile_invoice import ReconcileInvoice
from messaging_service.reports.rehearse_costs import RehearseCosts
from messaging_service.reports.report_costs import ReportCosts
from messaging_service.sending.grpc.messaging_servicer import MessagingServicer
from messaging_service.shared.postgres.report_turns import ReportTurns
from messaging_service.wiring.engine import Engine
from messaging_service.wiring.events import Watching
from messaging_service.wiring.notices import Notifying
from messaging_service.wiring.prices import PricingKnowledge
from service_kit.grpc.grpc_server import GrpcServer
from service_kit.postgres.database import Pool
from tukupay.sms.messaging.v1 import (
    alerts_pb2,
    alerts_pb2_grpc,
    billing_pb2,
    billing_pb2_grpc,
    carrier_callbacks_pb2,
    carrier_callbacks_pb2_grpc,
    carriers_pb2,
    carriers_pb2_grpc,
    channels_pb2,
    channels_pb2_grpc,
    messaging_pb2,
    messaging_pb2_grpc,
    reports_pb2,
    reports_pb2_grpc,
    suppressions_pb2,
    suppressions_pb2_grpc,
    webhooks_pb2,
    webhooks_pb2_grpc,
)

SERVICES = tuple(
    service.full_name
    for descriptor in (
        messaging_pb2.DESCRIPTOR,
        alerts_pb2.DESCRIPTOR,
        billing_pb2.DESCRIPTOR,
        carriers_pb2.DESCRIPTOR,
        carrier_callbacks_pb2.DESCRIPTOR,
        channels_pb2.DESCRIPTOR,
        reports_pb2.DESCRIPTOR,
        suppressions_pb2.DESCRIPTOR,
        webhooks_pb2.DESCRIPTOR,
    )
    for service in descriptor.services_by_name.values()
)


def add_servicers(
    server: GrpcServer,
    *,
    engine: Engine,
    pricing: PricingKnowledge,
    watching: Watching,
    notifying: Notifying,
    billing_pool: Pool,
    reports: ReportTurns,
    quote: QuoteSms,
    book: BookClient,
    default_wait_s: float,
) -> None:
    """Puts every service of the protos on the server."""
    traffic = PostgresTraffic(reports)
    messaging_pb2_grpc.add_MessagingServiceServicer_to_server(
        MessagingServicer(
            engine.send,
            engine.resend,
            quote,
            engine.outbox,
            watching.calls,
            default_wait_s=default_wait_s,
        ),
        server.grpc,
    )
    messaging_pb2_grpc.add_AccountServiceServicer_to_server(AccountServicer(engine.accounts), server.grpc)
    suppressions_pb2_grpc.add_SuppressionServiceServicer_to_server(SuppressionServicer(engine.opt_outs), server.grpc)
    carriers_pb2_grpc.add_CarrierServiceServicer_to_server(CarrierServicer(engine.control), server.grpc)
    billing_pb2_grpc.add_BillingServiceServicer_to_server(
        BillingServicer(PostgresLedgerStore(billing_pool, reports)), server.grpc
    )
    reconcile = ReconcileInvoice(PostgresInvoiceRecords(reports), [member.name for member in engine.fleet])
    reports_pb2_grpc.add_ReportServiceServicer_to_server(
        ReportServicer(
            report=ReportCosts(PostgresCostRecords(reports)),
            reconcile=reconcile,
            rehearse=RehearseCosts(traffic, book),
            audit=AuditCosts(traffic, book),
            price_copy=CopyAudit(pricing.copy, pricing.questions, pricing.watch),
        ),
        server.grpc,
    )
    alerts_pb2_grpc.add_AlertServiceServicer_to_server(notifying.alert_servicer, server.grpc)
    channels_pb2_grpc.add_ChannelServiceServicer_to_server(notifying.channel_servicer, server.grpc)
    webhooks_pb2_grpc.add_WebhookServiceServicer_to_server(notifying.servicer, server.grpc)
    carrier_callbacks_pb2_grpc.add_CarrierCallbackServiceServicer_to_server(
        CarrierCallbackServicer(engine.callbacks), server.grpc
    )
