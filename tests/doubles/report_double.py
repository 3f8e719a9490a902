"""Cost reports that answer as a test tells them, over real gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from tests.doubles.gateway_doubles import Scripted
from tukupay.sms.messaging.v1 import reports_pb2 as pb
from tukupay.sms.messaging.v1 import reports_pb2_grpc

SUMS = pb.CostSums(messages=2, units=3, charged_micros=2_400_000, refunded_micros=800_000, held_micros=1)
TOTALS = pb.CostSums(messages=4, units=6, charged_micros=4_800_000)


def group(*keys: str | None) -> pb.CostGroup:
    """A group with these keys."""
    return pb.CostGroup(keys=[pb.CostKey(value=key) for key in keys], sums=SUMS)


class ReportDouble(Scripted, reports_pb2_grpc.ReportServiceServicer):
    """Answers with as many groups as it is told, in as many responses; by itself with one for each grouping."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[pb.ReportCostsResponse] = []
        self.breaks = False
        """Whether the answer ends with a failure after the pieces."""

    async def ReportCosts(  # noqa: N802
        self, request: pb.ReportCostsRequest, context: Any
    ) -> AsyncIterator[pb.ReportCostsResponse]:
        await self._answer("ReportCosts", request, context, pb.ReportCostsResponse())
        for piece in self.pieces or [pb.ReportCostsResponse(groups=[group(*["a key"] * len(request.group_by))])]:
            yield piece
        if self.breaks:
            raise RuntimeError("the database went away")
        yield pb.ReportCostsResponse(totals=TOTALS)

    async def ReconcileInvoice(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.ReconcileInvoiceRequest], context: Any
    ) -> AsyncIterator[pb.ReconcileInvoiceResponse]:
        async for request in request_iterator:
            self.requests.append(request)
        yield pb.ReconcileInvoiceResponse()

    async def ExportMessages(  # noqa: N802
        self, request: pb.ExportMessagesRequest, context: Any
    ) -> AsyncIterator[pb.ExportMessagesResponse]:
        await self._answer("ExportMessages", request, context, pb.ExportMessagesResponse())
        yield pb.ExportMessagesResponse()

    async def RehearseCosts(self, request: pb.RehearseCostsRequest, context: Any) -> pb.RehearseCostsResponse:  # noqa: N802
        return await self._answer("RehearseCosts", request, context, pb.RehearseCostsResponse())

    async def AuditCosts(  # noqa: N802
        self, request: pb.AuditCostsRequest, context: Any
    ) -> AsyncIterator[pb.AuditCostsResponse]:
        yield await self._answer("AuditCosts", request, context, pb.AuditCostsResponse(totals=pb.AuditTotals()))

    async def AuditPriceCopy(self, request: pb.AuditPriceCopyRequest, context: Any) -> pb.AuditPriceCopyResponse:  # noqa: N802
        return await self._answer("AuditPriceCopy", request, context, pb.AuditPriceCopyResponse())
