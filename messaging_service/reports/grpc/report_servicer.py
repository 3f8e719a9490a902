"""ReportService over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from itertools import islice

from typing_extensions import override

from messaging_service.prices.audit_price_copy import AuditPriceCopy
from messaging_service.prices.grpc.price_copy_messages import audit_price_copy
from messaging_service.reports.audit_costs import AuditCosts
from messaging_service.reports.domain.cost_report import Basis, CostGroup, CostSums, Grouping, ReportedMessage
from messaging_service.reports.grpc.cost_audit_messages import audit_costs
from messaging_service.reports.grpc.cost_rehearsal_messages import rehearse_costs
from messaging_service.reports.grpc.invoice_messages import reconcile_invoice
from messaging_service.reports.reconcile_invoice import ReconcileInvoice
from messaging_service.reports.rehearse_costs import RehearseCosts
from messaging_service.reports.report_costs import ReportCosts
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.message import outbox_id
from messaging_service.shared.domain.money import to_micros
from messaging_service.shared.domain.shown_numbers import shown_number
from messaging_service.shared.grpc import wire
from service_kit.access.caller import caller
from service_kit.access.principal import Principal
from service_kit.errors import Violation, invalid
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import reports_pb2 as pb
from tukupay.sms.messaging.v1 import reports_pb2_grpc

MAX_TOGETHER = 500
"""Groups or messages in one response."""

GROUPINGS: Mapping[Grouping, pb.CostGrouping.ValueType] = {
    Grouping.DAY: pb.COST_GROUPING_DAY,
    Grouping.ACCOUNT: pb.COST_GROUPING_ACCOUNT,
    Grouping.APP: pb.COST_GROUPING_APP,
    Grouping.SENDER: pb.COST_GROUPING_SENDER,
    Grouping.LEVEL: pb.COST_GROUPING_LEVEL,
    Grouping.CARRIER: pb.COST_GROUPING_CARRIER,
    Grouping.TAG: pb.COST_GROUPING_TAG,
}
_BASIS_OF: Mapping[int, Basis] = {
    pb.COST_BASIS_UNSPECIFIED: Basis.CREATION,
    pb.COST_BASIS_CREATION: Basis.CREATION,
    pb.COST_BASIS_BOOKING: Basis.BOOKING,
}
_GROUPING_OF = {value: grouping for grouping, value in GROUPINGS.items()}


class ReportServicer(reports_pb2_grpc.ReportServiceServicer):
    """Translates between the stubs and the use cases."""

    def __init__(
        self,
        *,
        report: ReportCosts,
        reconcile: ReconcileInvoice,
        rehearse: RehearseCosts,
        audit: AuditCosts,
        price_copy: AuditPriceCopy,
    ) -> None:
        self._report = report
        self._reconcile = reconcile
        self._rehearse = rehearse
        self._audit = audit
        self._price_copy = price_copy

    @override
    async def ReportCosts(
        self, request: pb.ReportCostsRequest, context: Context
    ) -> AsyncIterator[pb.ReportCostsResponse]:
        start, end = wire.to_period(request)
        account_id = request.user_id if request.HasField("user_id") else None
        by, basis = _to_groupings(request.group_by), _BASIS_OF.get(request.basis)
        if basis is None:
            problem = f"has the unknown value {request.basis}; use one of CostBasis"
            raise invalid([Violation("basis", reasons.INVALID_VALUE, problem)])
        async with aclosing(self._report.groups(start, end, by, account_id, basis=basis)) as pages:
            async for page in pages:
                if isinstance(page, CostSums):
                    yield pb.ReportCostsResponse(totals=_from_sums(page))
                    continue
                remaining = iter(page)
                while together := [_from_group(group) for group in islice(remaining, MAX_TOGETHER)]:
                    yield pb.ReportCostsResponse(groups=together)

    @override
    async def ExportMessages(
        self, request: pb.ExportMessagesRequest, context: Context
    ) -> AsyncIterator[pb.ExportMessagesResponse]:
        start, end = wire.to_period(request)
        account_id, viewer = request.user_id if request.HasField("user_id") else None, caller()
        async with aclosing(self._report.messages(start, end, account_id)) as pages:
            async for page in pages:
                remaining = iter(page)
                while together := [_from_message(message, viewer) for message in islice(remaining, MAX_TOGETHER)]:
                    yield pb.ExportMessagesResponse(messages=together)

    @override
    async def ReconcileInvoice(
        self, request_iterator: AsyncIterator[pb.ReconcileInvoiceRequest], context: Context
    ) -> AsyncIterator[pb.ReconcileInvoiceResponse]:
        async with aclosing(reconcile_invoice(self._reconcile, request_iterator)) as answers:
            async for answer in answers:
                yield answer

    @override
    async def RehearseCosts(self, request: pb.RehearseCostsRequest, context: Context) -> pb.RehearseCostsResponse:
        return await rehearse_costs(self._rehearse, request)

    @override
    async def AuditCosts(self, request: pb.AuditCostsRequest, context: Context) -> AsyncIterator[pb.AuditCostsResponse]:
        async with aclosing(audit_costs(self._audit, request)) as answers:
            async for answer in answers:
                yield answer

    @override
    async def AuditPriceCopy(self, request: pb.AuditPriceCopyRequest, context: Context) -> pb.AuditPriceCopyResponse:
        return await audit_price_copy(self._price_copy)


def _to_groupings(values: Sequence[int]) -> list[Grouping]:
    found = [
        Violation(
            f"group_by[{place}]", reasons.UNKNOWN_GROUPING, f"has the unknown value {value}; use one of CostGrouping"
        )
        for place, value in enumerate(values)
        if value not in _GROUPING_OF
    ]
    if found:
        raise invalid(found)
    return [_GROUPING_OF[value] for value in values]  # type: ignore[index]  # checked above


def _from_group(group: CostGroup) -> pb.CostGroup:
    return pb.CostGroup(keys=[pb.CostKey(value=key) for key in group.keys], sums=_from_sums(group.sums))


def _from_sums(sums: CostSums) -> pb.CostSums:
    return pb.CostSums(
        messages=sums.messages,
        units=sums.units,
        charged_micros=to_micros(sums.charged),
        refunded_micros=to_micros(sums.refunded),
        held_micros=to_micros(sums.held),
    )


def _from_message(message: ReportedMessage, viewer: Principal) -> pb.ExportedMessage:
    return pb.ExportedMessage(
        outbox_id=outbox_id(message.id),
        user_id=message.account_id,
        app_id=message.app_id,
        message_id=message.client_message_id,
        created_time=wire.from_instant(message.created_at),
        sent_time=None if message.sent_at is None else wire.from_instant(message.sent_at),
        recipient_phone_number=shown_number(message.recipient, viewer),
        sender_id=message.sender_id,
        delivery_state=wire.STATES[message.state],
        billing_state=wire.BILLINGS[message.billing],
        units=message.units,
        unit_price_micros=to_micros(message.unit_price),
        price_level=wire.LEVELS[message.level],
        charged_micros=to_micros(message.charged),
        refunded_micros=to_micros(message.refunded),
        carrier=message.carrier,
        carrier_parts=message.carrier_parts,
        carrier_cost_micros=None if message.carrier_cost is None else to_micros(message.carrier_cost),
        tags=message.tags,
        error_code=message.error_code,
    )
