"""Builds reports: costs, exports, audits, rehearsals and invoices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from messaging_service.prices.audit_price_copy import AuditPriceCopy
from messaging_service.reports.audit_costs import AuditCosts
from messaging_service.reports.grpc.report_servicer import ReportServicer
from messaging_service.reports.postgres.cost_records import PostgresCostRecords
from messaging_service.reports.postgres.invoice_records import PostgresInvoiceRecords
from messaging_service.reports.postgres.traffic_rows import PostgresTraffic
from messaging_service.reports.reconcile_invoice import ReconcileInvoice
from messaging_service.reports.rehearse_costs import RehearseCosts
from messaging_service.reports.report_costs import ReportCosts
from messaging_service.shared.postgres.report_turns import ReportTurns
from messaging_service.wiring.build_carriers import WiredCarriers
from messaging_service.wiring.build_prices import WiredPrices
from messaging_service.wiring.messaging_process import Servicers
from tukupay.sms.messaging.v1 import reports_pb2_grpc


@dataclass(frozen=True, slots=True)
class WiredReports:
    """What reports offer."""

    servicers: Servicers


def build_reports(turns: ReportTurns, prices: WiredPrices, carriers: WiredCarriers) -> WiredReports:
    """Puts reports together; they wait for one another in `turns`."""
    traffic = PostgresTraffic(turns)
    servicer = ReportServicer(
        report=ReportCosts(PostgresCostRecords(turns)),
        reconcile=ReconcileInvoice(PostgresInvoiceRecords(turns), [member.name for member in carriers.fleet]),
        rehearse=RehearseCosts(traffic, prices.book),
        audit=AuditCosts(traffic, prices.book),
        price_copy=AuditPriceCopy(prices.audit),
    )
    return WiredReports(servicers=(partial(reports_pb2_grpc.add_ReportServiceServicer_to_server, servicer),))
