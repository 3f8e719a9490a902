"""CostReportService over gRPC."""

from __future__ import annotations

from typing import Any

from grpc import aio

from messaging_service.transport.price_copy_audit import audit_price_copy
from messaging_service.use_cases.price_copy_audit import PriceCopyAudit
from tukupay.sms.messaging.v1 import messaging_pb2 as pb
from tukupay.sms.messaging.v1 import messaging_pb2_grpc

Context = aio.ServicerContext[Any, Any]


class CostReportServicer(messaging_pb2_grpc.CostReportServiceServicer):
    """Translates between the stubs and the use cases."""

    def __init__(self, price_copy: PriceCopyAudit) -> None:
        self._price_copy = price_copy

    async def AuditPriceCopy(  # noqa: N802
        self, request: pb.AuditPriceCopyRequest, context: Context
    ) -> pb.AuditPriceCopyResponse:
        """See the proto."""
        return await audit_price_copy(self._price_copy)
