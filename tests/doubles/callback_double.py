"""A service that takes what carriers post, and keeps or refuses it as a test tells it."""

from __future__ import annotations

from typing import Any

from tests.doubles.gateway_doubles import Scripted
from tukupay.sms.messaging.v1 import carrier_callbacks_pb2 as pb
from tukupay.sms.messaging.v1 import carrier_callbacks_pb2_grpc


class CallbackDouble(Scripted, carrier_callbacks_pb2_grpc.CarrierCallbackServiceServicer):
    """See Scripted."""

    async def IngestDeliveryReport(self, request: pb.IngestDeliveryReportRequest, context: Any) -> Any:  # noqa: N802
        return await self._answer("IngestDeliveryReport", request, context, pb.IngestDeliveryReportResponse())

    async def IngestInboundMessage(self, request: pb.IngestInboundMessageRequest, context: Any) -> Any:  # noqa: N802
        return await self._answer("IngestInboundMessage", request, context, pb.IngestInboundMessageResponse())

    async def IngestOptOut(self, request: pb.IngestOptOutRequest, context: Any) -> Any:  # noqa: N802
        return await self._answer("IngestOptOut", request, context, pb.IngestOptOutResponse())
