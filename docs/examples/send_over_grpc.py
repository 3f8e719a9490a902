"""Sends one SMS, makes a mistake, and sends a batch over gRPC. The bare install is all that it needs.

Run it beside `make up`:  .venv/bin/python docs/examples/send_over_grpc.py

Where access is required, an API key is taken from TUKUPAY_KEY.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Iterator
from decimal import Decimal

from google.rpc import error_details_pb2
from grpc import aio
from grpc_status import rpc_status

from tukupay.sms.messaging.v1 import messaging_pb2, messaging_pb2_grpc

ADDRESS = os.environ.get("MESSAGING_GRPC_ADDRESS", "127.0.0.1:50052")
KEY = os.environ.get("TUKUPAY_KEY")
CREDENTIAL = () if KEY is None else (("authorization", f"Bearer {KEY}"),)
"""The metadata of every call."""


def sms(to: str, text: str) -> messaging_pb2.SendSmsRequest:
    """A request with an idempotency key of its own: repeating it is always safe."""
    return messaging_pb2.SendSmsRequest(
        user_id="user123",
        recipient_phone_number=to,
        message=text,
        sender_id="TUKUPAY",
        message_id=f"example-{uuid.uuid4().hex}",
        priority=messaging_pb2.PRIORITY_HIGH,
        tags=["example"],
    )


def explain(error: aio.AioRpcError) -> Iterator[str]:
    """What an error says to a program: its stable reason, the fields at fault, when to try again, and the request."""
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info, bad_request, retry, request = (
            error_details_pb2.ErrorInfo(),
            error_details_pb2.BadRequest(),
            error_details_pb2.RetryInfo(),
            error_details_pb2.RequestInfo(),
        )
        if detail.Unpack(info):
            yield f"reason {info.reason}"
        elif detail.Unpack(bad_request):
            yield from (f"field {at_fault.field}: {at_fault.reason}" for at_fault in bad_request.field_violations)
        elif detail.Unpack(retry):
            yield f"again in {retry.retry_delay.ToTimedelta().total_seconds():g} s"
        elif detail.Unpack(request):
            yield f"request {request.request_id}"


async def main() -> None:
    """Sends, and prints what became of each."""
    async with aio.insecure_channel(ADDRESS) as channel:
        messaging = messaging_pb2_grpc.MessagingServiceStub(channel)

        response = await messaging.SendSms(sms("+254712345678", "Hello over gRPC"), metadata=CREDENTIAL, timeout=10)
        entry = response.entry
        state = messaging_pb2.DeliveryState.Name(entry.delivery_state)
        print(entry.outbox_id, state, "KES", Decimal(entry.total_cost_micros) / 1_000_000)

        try:
            await messaging.SendSms(sms("+2547", "never leaves"), metadata=CREDENTIAL, timeout=10)
        except aio.AioRpcError as error:
            print(error.code().name, "-", error.details())
            print(*explain(error), sep=", ")

        phones = [f"+25471234{number:04}" for number in range(500)]
        batch = messaging_pb2.SendSmsBatchRequest(items=[sms(phone, "Hello, all") for phone in phones])
        sent = 0
        async for part in messaging.SendSmsBatch(batch, metadata=CREDENTIAL, timeout=30):
            for result in part.results:
                if result.WhichOneof("outcome") == "error":
                    print("item", result.index, result.error.reason, result.error.message)
                elif result.response.entry.status == messaging_pb2.SMS_STATUS_SENT:
                    sent += 1
        print(f"{sent} of {len(phones)} sent")


if __name__ == "__main__":
    asyncio.run(main())
