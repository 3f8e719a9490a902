"""The calls of accounts and their ledger, in few words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from tests.integration.messaging.running_service import Running
from tukupay.sms.messaging.v1 import accounts_pb2 as pb
from tukupay.sms.messaging.v1 import accounts_pb2_grpc

KES = 1_000_000
PREPAID = pb.ACCOUNT_MODE_PREPAID
POSTPAID = pb.ACCOUNT_MODE_POSTPAID
UNIT = 600_000
"""What a message costs in these tests, in micros."""


class Billing:
    """The service's billing, in few words."""

    def __init__(self, service: Running) -> None:
        self.stub = accounts_pb2_grpc.AccountServiceStub(service.channel)

    async def open(self, user: str = "user123", **fields: Any) -> pb.OpenAccountResponse:
        request: dict[str, Any] = {"user_id": user, "mode": PREPAID}
        return await self.stub.OpenAccount(pb.OpenAccountRequest(**request | fields))

    async def terms(self, user: str = "user123") -> pb.Account:
        return (await self.stub.GetAccount(pb.GetAccountRequest(user_id=user))).account

    async def top_up(self, micros: int, reference: str = "QK1", user: str = "user123") -> pb.TopUpResponse:
        return await self.stub.TopUp(
            pb.TopUpRequest(user_id=user, amount_micros=micros, reference=reference, booked_by="wanjiru")
        )

    async def adjust(self, micros: int, **fields: Any) -> pb.AdjustResponse:
        request: dict[str, Any] = {
            "user_id": "user123",
            "amount_micros": micros,
            "reason": "goodwill",
            "booked_by": "wanjiru",
        }
        return await self.stub.Adjust(pb.AdjustRequest(**request | fields))

    async def change(self, **fields: Any) -> pb.Account:
        return (await self.stub.UpdateAccount(pb.UpdateAccountRequest(**{"user_id": "user123"} | fields))).account

    async def refund(self, outbox_id: str, attempt: int | None = None) -> pb.RefundSmsResponse:
        return await self.stub.RefundSms(
            pb.RefundSmsRequest(outbox_id=outbox_id, reason="it never arrived", booked_by="wanjiru", attempt=attempt)
        )

    async def faults(self) -> list[str]:
        answer = await self.stub.VerifyBooks(pb.VerifyBooksRequest())
        return [pb.BookRule.Name(fault.rule).removeprefix("BOOK_RULE_") for fault in answer.faults]


def instant(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp
