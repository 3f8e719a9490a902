"""Accounts that answer as a test tells them, over real gRPC."""

from __future__ import annotations

from typing import Any

from tests.doubles.gateway_doubles import ENTRY_ID, Scripted, at
from tukupay.sms.messaging.v1 import accounts_pb2 as pb
from tukupay.sms.messaging.v1 import accounts_pb2_grpc

ACCOUNTS = "tukupay.sms.messaging.v1.AccountService"


def account(**fields: Any) -> pb.Account:
    """A prepaid account with money."""
    known: dict[str, Any] = {
        "user_id": "user123",
        "mode": pb.ACCOUNT_MODE_PREPAID,
        "status": pb.ACCOUNT_STATUS_ACTIVE,
        "posted_micros": 499_400_000,
        "held_micros": 600_000,
        "currency": "KES",
        "available_micros": 498_800_000,
    }
    return pb.Account(**(known | fields))


def payment(**fields: Any) -> pb.LedgerEntry:
    """A payment on record."""
    known: dict[str, Any] = {
        "entry_id": 4711,
        "user_id": "user123",
        "kind": pb.LEDGER_ENTRY_KIND_TOP_UP,
        "amount_micros": 500_000_000,
        "booked_time": at("2024-12-15T08:00:00Z"),
        "reference": "QK12ABC3DE",
        "booked_by": "till",
    }
    return pb.LedgerEntry(**(known | fields))


def charge() -> pb.LedgerEntry:
    """A charge on record."""
    return pb.LedgerEntry(
        entry_id=4712,
        user_id="user123",
        kind=pb.LEDGER_ENTRY_KIND_CHARGE,
        amount_micros=-600_000,
        booked_time=at("2024-12-15T08:01:00Z"),
        outbox_id=ENTRY_ID,
        attempt=2,
    )


class AccountDouble(Scripted, accounts_pb2_grpc.AccountServiceServicer):
    """Knows one account; what operators do is not for REST."""

    async def GetAccount(self, request: pb.GetAccountRequest, context: Any) -> pb.GetAccountResponse:  # noqa: N802
        return await self._answer("GetAccount", request, context, pb.GetAccountResponse(account=account()))

    async def TopUp(self, request: pb.TopUpRequest, context: Any) -> pb.TopUpResponse:  # noqa: N802
        answer = pb.TopUpResponse(entry=payment(amount_micros=request.amount_micros), account=account())
        return await self._answer("TopUp", request, context, answer)

    async def ListLedgerEntries(  # noqa: N802
        self, request: pb.ListLedgerEntriesRequest, context: Any
    ) -> pb.ListLedgerEntriesResponse:
        answer = pb.ListLedgerEntriesResponse(entries=[payment(), charge()])
        return await self._answer("ListLedgerEntries", request, context, answer)

    async def GetStatement(self, request: pb.GetStatementRequest, context: Any) -> pb.GetStatementResponse:  # noqa: N802
        totals = [
            pb.LedgerTotal(kind=pb.LEDGER_ENTRY_KIND_CHARGE, entries=1, amount_micros=-600_000),
            pb.LedgerTotal(kind=pb.LEDGER_ENTRY_KIND_TOP_UP, entries=1, amount_micros=500_000_000),
        ]
        answer = pb.GetStatementResponse(opening_micros=0, closing_micros=499_400_000, totals=totals)
        return await self._answer("GetStatement", request, context, answer)

    async def OpenAccount(self, request: pb.OpenAccountRequest, context: Any) -> pb.OpenAccountResponse:  # noqa: N802
        raise NotImplementedError

    async def UpdateAccount(self, request: pb.UpdateAccountRequest, context: Any) -> pb.UpdateAccountResponse:  # noqa: N802
        raise NotImplementedError

    async def Adjust(self, request: pb.AdjustRequest, context: Any) -> pb.AdjustResponse:  # noqa: N802
        raise NotImplementedError

    async def RefundSms(self, request: pb.RefundSmsRequest, context: Any) -> pb.RefundSmsResponse:  # noqa: N802
        raise NotImplementedError

    async def VerifyBooks(self, request: pb.VerifyBooksRequest, context: Any) -> pb.VerifyBooksResponse:  # noqa: N802
        raise NotImplementedError

    async def ListAccounts(self, request: pb.ListAccountsRequest, context: Any) -> pb.ListAccountsResponse:  # noqa: N802
        raise NotImplementedError
