"""CarrierCallbackService over gRPC."""

from __future__ import annotations

import re

from typing_extensions import override

from messaging_service.carriers.callback_reader import DeliveryReport, OptOut, PhoneMessage
from messaging_service.receipts.carrier_callbacks import CarrierCallbacks
from messaging_service.shared.domain import reasons
from service_kit.errors import Violation, invalid
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import carrier_callbacks_pb2 as pb
from tukupay.sms.messaging.v1 import carrier_callbacks_pb2_grpc

MAX_WORD = 64
MAX_TEXT = 5_000

_ID = re.compile(r"[\x21-\x7e]{1,128}")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,32}")


class CarrierCallbackServicer(carrier_callbacks_pb2_grpc.CarrierCallbackServiceServicer):
    """Translates between the stubs and the use case."""

    def __init__(self, callbacks: CarrierCallbacks) -> None:
        self._callbacks = callbacks

    @override
    async def IngestDeliveryReport(
        self, request: pb.IngestDeliveryReportRequest, context: Context
    ) -> pb.IngestDeliveryReportResponse:
        faults: list[Violation] = []
        if not _ID.fullmatch(request.carrier_message_id):
            rule = "is not 1 to 128 printable ASCII characters; give the carrier's id of the message"
            faults.append(Violation("carrier_message_id", reasons.MALFORMED, rule))
        if not request.status.strip():
            faults.append(Violation("status", reasons.REQUIRED, "is empty; give the carrier's word"))
        if faults:
            raise invalid(faults)
        report = DeliveryReport(
            carrier_message_id=request.carrier_message_id,
            status=_word(request.status),
            phone_number=_word(request.phone_number),
            network_code=_word(request.network_code),
            failure_reason=_word(request.failure_reason),
            retry_count=request.retry_count if request.HasField("retry_count") else None,
        )
        await self._callbacks.report(request.carrier, report)
        return pb.IngestDeliveryReportResponse()

    @override
    async def IngestInboundMessage(
        self, request: pb.IngestInboundMessageRequest, context: Context
    ) -> pb.IngestInboundMessageResponse:
        _check_sender(request.sender_id)
        # PostgreSQL stores no zero characters, and no phone writes any.
        text = request.text[:MAX_TEXT].replace("\x00", "")
        message = PhoneMessage(_word(request.phone_number), request.sender_id, text)
        await self._callbacks.message(request.carrier, message)
        return pb.IngestInboundMessageResponse()

    @override
    async def IngestOptOut(self, request: pb.IngestOptOutRequest, context: Context) -> pb.IngestOptOutResponse:
        _check_sender(request.sender_id)
        await self._callbacks.opt_out(request.carrier, OptOut(_word(request.phone_number), request.sender_id))
        return pb.IngestOptOutResponse()


def _check_sender(sender_id: str) -> None:
    if not _NAME.fullmatch(sender_id):
        rule = "is not 1 to 32 characters that can be printed; give the short code or sender id"
        raise invalid([Violation("sender_id", reasons.MALFORMED, rule)])


def _word(text: str) -> str:
    """A carrier's word as it may be stored and shown."""
    return "".join(character if character.isprintable() else "?" for character in text.strip()[:MAX_WORD])
