"""A suppression list that answers as a test tells it, over real gRPC."""

from __future__ import annotations

from typing import Any

from service_kit.errors import Kind, ServiceError
from tests.doubles.gateway_doubles import Scripted, at
from tukupay.sms.messaging.v1 import suppressions_pb2 as pb
from tukupay.sms.messaging.v1 import suppressions_pb2_grpc

ENTRY_ID = "suppression_0192e4a07c2b7d3e9a51c6f0b8d4e2a1"


def entry(**fields: Any) -> pb.Suppression:
    """An entry that holds."""
    known: dict[str, Any] = {
        "suppression_id": ENTRY_ID,
        "phone_number": "+254712345678",
        "source": pb.SUPPRESSION_SOURCE_API,
        "reason": "unsubscribed",
        "created_by": "shop",
        "created_time": at("2024-12-15T08:00:00Z"),
    }
    return pb.Suppression(**(known | fields))


class SuppressionDouble(Scripted, suppressions_pb2_grpc.SuppressionServiceServicer):
    """Makes every entry, and knows one."""

    async def AddSuppression(self, request: pb.AddSuppressionRequest, context: Any) -> pb.AddSuppressionResponse:  # noqa: N802
        made = entry(
            phone_number=request.phone_number,
            sender_id=request.sender_id if request.HasField("sender_id") else None,
            user_id=request.user_id if request.HasField("user_id") else None,
            reason=request.reason,
            created_by=request.created_by,
        )
        answer = pb.AddSuppressionResponse(suppression=made, created=True, cancelled_messages=2)
        return await self._answer("AddSuppression", request, context, answer)

    async def RemoveSuppression(  # noqa: N802
        self, request: pb.RemoveSuppressionRequest, context: Any
    ) -> pb.RemoveSuppressionResponse:
        if request.suppression_id != ENTRY_ID:
            self.requests.append(request)
            raise ServiceError(Kind.NOT_FOUND, "SUPPRESSION_NOT_FOUND", "there is no suppression with that id")
        ending = pb.SuppressionEnding(
            ended_time=at("2024-12-20T08:00:00Z"),
            source=request.source,
            ended_by=request.ended_by,
            reason=request.reason,
        )
        answer = pb.RemoveSuppressionResponse(suppression=entry(ending=ending))
        return await self._answer("RemoveSuppression", request, context, answer)

    async def ListSuppressions(  # noqa: N802
        self, request: pb.ListSuppressionsRequest, context: Any
    ) -> pb.ListSuppressionsResponse:
        return await self._answer("ListSuppressions", request, context, pb.ListSuppressionsResponse())

    async def CheckSuppression(  # noqa: N802
        self, request: pb.CheckSuppressionRequest, context: Any
    ) -> pb.CheckSuppressionResponse:
        answer = pb.CheckSuppressionResponse(
            suppressed=True,
            suppressions=[entry(sender_id="22141", source=pb.SUPPRESSION_SOURCE_STOP_KEYWORD, created_by="smpp")],
        )
        return await self._answer("CheckSuppression", request, context, answer)
