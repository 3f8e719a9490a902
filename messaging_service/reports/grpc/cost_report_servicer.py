"""CostReportService over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from messaging_service.prices.grpc.price_copy_messages import audit_price_copy
from messaging_service.prices.price_copy_audit import PriceCopyAudit
from messaging_service.reports.audit_costs import AuditCosts
from messaging_service.reports.grpc.cost_audit_messages import audit_costs
from messaging_service.reports.grpc.cost_rehearsal_messages import rehearse_costs
from messaging_service.reports.rehearse_costs import RehearseCosts
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import messaging_pb2 as pb
from tukupay.sms.messaging.v1 import messaging_pb2_grpc


class CostReportServicer(messaging_pb2_grpc.CostReportServiceServicer):
    """Translates between the stubs and the use cases."""

    def __init__(self, rehearse: RehearseCosts, audit: AuditCosts, price_copy: PriceCopyAudit) -> None:
        self._rehearse = rehearse
        self._audit = audit
        self._price_copy = price_copy

    async def RehearseCosts(  # noqa: N802
        self, request: pb.RehearseCostsRequest, context: Context
    ) -> pb.RehearseCostsResponse:
        """See the proto."""
        return await rehearse_costs(self._rehearse, request)

    async def AuditCosts(  # noqa: N802
        self, request: pb.AuditCostsRequest, context: Context
    ) -> AsyncIterator[pb.AuditCostsResponse]:
        """See the proto."""
        async with aclosing(audit_costs(self._audit, request)) as answers:
            async for answer in answers:
                yield answer

    async def AuditPriceCopy(  # noqa: N802
        self, request: pb.AuditPriceCopyRequest, context: Context
    ) -> pb.AuditPriceCopyResponse:
        """See the proto."""
        return await audit_price_copy(self._price_copy)
