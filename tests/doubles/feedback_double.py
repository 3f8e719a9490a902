"""Feedback that answers as a test tells it, over real gRPC."""

from __future__ import annotations

from typing import Any

from service_kit.errors import Kind, ServiceError
from tests.doubles.gateway_doubles import ENTRY_ID, Scripted, at
from tukupay.sms.messaging.v1 import feedback_pb2 as pb
from tukupay.sms.messaging.v1 import feedback_pb2_grpc


class FeedbackDouble(Scripted, feedback_pb2_grpc.FeedbackServiceServicer):
    """Takes what is said of one message, and reports one block."""

    async def RecordFeedback(self, request: pb.RecordFeedbackRequest, context: Any) -> pb.RecordFeedbackResponse:  # noqa: N802
        if request.outbox_id != ENTRY_ID:
            self.requests.append(request)
            raise ServiceError(Kind.NOT_FOUND, "OUTBOX_ENTRY_NOT_FOUND", "there is no entry with that id")
        return await self._answer("RecordFeedback", request, context, pb.RecordFeedbackResponse())

    async def GetConversion(self, request: pb.GetConversionRequest, context: Any) -> pb.GetConversionResponse:  # noqa: N802
        block = pb.BlockConversion(
            block="+254712345",
            sent=7,
            refused=23,
            verified=2,
            not_verified=4,
            suspected_time=at("2024-12-15T08:00:00Z"),
        )
        answer = pb.GetConversionResponse(
            blocks=[block], total=pb.BlockConversion(sent=9, refused=23), period_start=at("2024-12-14T09:00:00Z")
        )
        return await self._answer("GetConversion", request, context, answer)
