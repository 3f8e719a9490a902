"""Accounts that answer as a test tells them, over real gRPC."""

from __future__ import annotations

from typing import Any

from tests.doubles.gateway_doubles import ENTRY_ID, Scripted, at
from tukupay.sms.messaging.v1 import billing_pb2 as pb
from tukupay.sms.messaging.v1 import billing_pb2_grpc, messaging_pb2

BILLING = "tukupay.sms.messaging.v1.BillingService"


def terms(**fields: Any) -> pb.AccountTerms:
    """A prepaid account with money."""
    known: dict[str, Any] = {
        "account": messaging_pb2.Account(
            user_id="user123",
            mode=messaging_pb2.ACCOUNT_MODE_PREPAID,
            status=messaging_pb2.ACCOUNT_STATUS_ACTIVE,
            posted_micros=499_400_000,
            held_micros=600_000,
        ),
        "currency": "KES",
        "available_micros": 498_800_000,
    }
    return pb.AccountTerms(**(known | fields))


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


class BillingDouble(Scripted, billing_pb2_grpc.BillingServiceServicer):
    """Knows one account; what operators do is not for REST."""

    async def GetAccountTerms(self, request: pb.GetAccountTermsRequest, context: Any) -> pb.GetAccountTermsResponse:  # noqa: N802
        return await self._answer("GetAccountTerms", request, context, pb.GetAccountTermsResponse(terms=terms()))

    async def TopUp(self, request: pb.TopUpRequest, context: Any) -> pb.TopUpResponse:  # noqa: N802
        answer = pb.TopUpResponse(entry=payment(amount_micros=request.amount_micros), terms=terms())
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

    async def SetAccountTerms(self, request: pb.SetAccountTermsRequest, context: Any) -> pb.SetAccountTermsResponse:  # noqa: N802
        raise NotImplementedError

    async def Adjust(self, request: pb.AdjustRequest, context: Any) -> pb.AdjustResponse:  # noqa: N802
        raise NotImplementedError

    async def RefundSms(self, request: pb.RefundSmsRequest, context: Any) -> pb.RefundSmsResponse:  # noqa: N802
        raise NotImplementedError

    async def VerifyBooks(self, request: pb.VerifyBooksRequest, context: Any) -> pb.VerifyBooksResponse:  # noqa: N802
        raise NotImplementedError

    async def ListAccounts(self, request: pb.ListAccountsRequest, context: Any) -> pb.ListAccountsResponse:  # noqa: N802
        raise NotImplementedError
