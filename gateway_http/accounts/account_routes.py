"""The routes of accounts: balance, payments, statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from gateway_http.accounts.account_models import Balance, LedgerEntry, NewTopUp, Statement, TopUpAnswer
from gateway_http.accounts.account_operations import GET_BALANCE, GET_STATEMENT, TOP_UP
from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.query import period
from gateway_http.shared.route import RestRequest, RestRoutes, handles, handles_body
from gateway_http.shared.upstream import Call
from tukupay.sms.messaging.v1 import accounts_pb2

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.accounts_pb2_grpc import AccountServiceAsyncStub

_TIMEOUT_S = 20.0
_READ = Call("messaging", timeout_s=_TIMEOUT_S)
_BOOK = Call(
    "messaging",
    "the payment may or may not have been booked: repeating the request is safe, its reference is booked once",
    _TIMEOUT_S,
)


class AccountRoutes(RestRoutes):
    """Speaks to the messaging service."""

    def __init__(self, accounts: AccountServiceAsyncStub) -> None:
        self._accounts = accounts

    @handles(GET_BALANCE)
    async def balance(self, request: RestRequest) -> Response:
        """Answers with the account as it stands."""
        question = accounts_pb2.GetAccountRequest(user_id=request.query["userId"])
        return json_answer(Balance.of((await request.answer(self._accounts.GetAccount, question, _READ)).account))

    @handles_body(TOP_UP)
    async def top_up(self, request: RestRequest, payment: NewTopUp) -> Response:
        """Books a payment and answers 201; 200 when its reference was known."""
        booked = await request.answer(self._accounts.TopUp, payment.to_request(), _BOOK)
        answer = TopUpAnswer(LedgerEntry.of(booked.entry), Balance.of(booked.account))
        if booked.replayed:
            return json_answer(answer, headers={"Idempotent-Replay": "true"})
        return json_answer(answer, 201)

    @handles(GET_STATEMENT)
    async def statement(self, request: RestRequest) -> Response:
        """Answers with a statement and a page of its entries."""
        start, end = period(request.query)
        question = accounts_pb2.ListLedgerEntriesRequest(
            user_id=request.query["userId"],
            period_start=start,
            period_end=end,
            page_size=request.page_size(),
            page_token=request.page_token(),
        )
        # Both calls stop at the same entry, so that the answer agrees with itself while the account sends: the first
        # page at what the statement counts, and the statement on the others at what their pages stop at.
        if question.page_token:
            page = await request.answer(self._accounts.ListLedgerEntries, question, _READ)
            statement = await self._totals(request, question, page)
        else:
            statement = await self._totals(request, question, question)
            if statement.HasField("through_entry_id"):
                question.through_entry_id = statement.through_entry_id
            page = await request.answer(self._accounts.ListLedgerEntries, question, _READ)
        return request.page(Statement.of(question.user_id, statement, page), page.next_page_token)

    async def _totals(
        self,
        request: RestRequest,
        question: accounts_pb2.ListLedgerEntriesRequest,
        bound: accounts_pb2.ListLedgerEntriesRequest | accounts_pb2.ListLedgerEntriesResponse,
    ) -> accounts_pb2.GetStatementResponse:
        totals = accounts_pb2.GetStatementRequest(
            user_id=question.user_id,
            period_start=question.period_start,
            period_end=question.period_end,
            through_entry_id=bound.through_entry_id if bound.HasField("through_entry_id") else None,
        )
        return await request.answer(self._accounts.GetStatement, totals, _READ)
