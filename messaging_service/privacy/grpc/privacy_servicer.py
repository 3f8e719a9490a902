"""PrivacyService over gRPC."""

from __future__ import annotations

from typing_extensions import override

from messaging_service.privacy.erase_phone import ErasePhone
from messaging_service.privacy.rotate_keys import RotateKeys
from messaging_service.privacy.text_retention import SetTextRetention
from service_kit.audit.actor import actor
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import privacy_pb2 as pb
from tukupay.sms.messaging.v1 import privacy_pb2_grpc


class PrivacyServicer(privacy_pb2_grpc.PrivacyServiceServicer):
    """Translates between the stubs and the use cases."""

    def __init__(self, erase_phone: ErasePhone, rotate_keys: RotateKeys, set_retention: SetTextRetention) -> None:
        self._erase_phone = erase_phone
        self._rotate_keys = rotate_keys
        self._set_retention = set_retention

    @override
    async def ErasePhone(self, request: pb.ErasePhoneRequest, context: Context) -> pb.ErasePhoneResponse:
        erased = await self._erase_phone(request.phone_number, actor())
        return pb.ErasePhoneResponse(
            messages=erased.messages,
            receipts=erased.receipts,
            inbound_messages=erased.inbound_messages,
            counts=erased.counts,
            suppressions=erased.suppressions,
            open_messages=erased.open_messages,
            waiting=erased.waiting,
        )

    @override
    async def RotateKeys(self, request: pb.RotateKeysRequest, context: Context) -> pb.RotateKeysResponse:
        rotated = await self._rotate_keys(actor())
        return pb.RotateKeysResponse(wrapped_by=rotated.wrapped_by, rewrapped=rotated.rewrapped, more=rotated.more)

    @override
    async def SetTextRetention(
        self, request: pb.SetTextRetentionRequest, context: Context
    ) -> pb.SetTextRetentionResponse:
        days = request.days if request.HasField("days") else None
        term = await self._set_retention(request.user_id, days, actor())
        return pb.SetTextRetentionResponse(days=term.days, own=term.own)
