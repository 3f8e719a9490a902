"""Erasures that answer as a test tells them, over real gRPC."""

from __future__ import annotations

from typing import Any

from tests.doubles.gateway_doubles import Scripted
from tukupay.sms.messaging.v1 import privacy_pb2 as pb
from tukupay.sms.messaging.v1 import privacy_pb2_grpc


class PrivacyDouble(Scripted, privacy_pb2_grpc.PrivacyServiceServicer):
    """Erases two messages of whatever phone."""

    async def ErasePhone(self, request: pb.ErasePhoneRequest, context: Any) -> pb.ErasePhoneResponse:  # noqa: N802
        answer = pb.ErasePhoneResponse(messages=2, receipts=2, suppressions=1)
        return await self._answer("ErasePhone", request, context, answer)

    async def RotateKeys(self, request: pb.RotateKeysRequest, context: Any) -> pb.RotateKeysResponse:  # noqa: N802
        return await self._answer("RotateKeys", request, context, pb.RotateKeysResponse())

    async def SetTextRetention(  # noqa: N802
        self, request: pb.SetTextRetentionRequest, context: Any
    ) -> pb.SetTextRetentionResponse:
        return await self._answer("SetTextRetention", request, context, pb.SetTextRetentionResponse())
