"""The routes of accounts: balance, payments, statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway_http.accounts.account_models import Balance, LedgerEntry, NewTopUp, Statement, TopUpAnswer
from gateway_http.shared.json_answer import Metadata, call_metadata, json_answer
from gateway_http.shared.query import PERIOD, limit, next_link, parameters, period
from gateway_http.shared.request_body import JsonBody, read_body
from gateway_http.shared.upstream import Call, answer_of
from tukupay.sms.messaging.v1 import billing_pb2

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.billing_pb2_grpc import BillingServiceAsyncStub

BALANCE = "/api/sms/balance"
TOP_UPS = "/api/sms/balance/top-ups"
STATEMENT = "/api/sms/balance/statement"
MAX_ENTRIES = 1_000

_READ = Call("messaging")
_BOOK = Call(
    "messaging",
    "the payment may or may not have been booked: repeating the request is safe, its reference is booked once",
)
_TIMEOUT_S = 20.0


class BalanceRoutes:
    """Speaks to the messaging service."""

    def __init__(self, billing: BillingServiceAsyncStub) -> None:
        self._billing = billing
        self._top_up = JsonBody(NewTopUp)

    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [
            Route(BALANCE, self.balance, methods=["GET"]),
            Route(TOP_UPS, self.top_up, methods=["POST"]),
            Route(STATEMENT, self.statement, methods=["GET"]),
        ]

    async def balance(self, request: Request) -> Response:
        """Answers with the account as it stands."""
        values = parameters(request.scope["query_string"], ("userId",), required=("userId",))
        call = self._billing.GetAccountTerms(
            billing_pb2.GetAccountTermsRequest(user_id=values["userId"]),
            timeout=_TIMEOUT_S,
            metadata=call_metadata(request),
        )
        return json_answer(Balance.of((await answer_of(call, _READ)).terms))

    async def top_up(self, request: Request) -> Response:
        """LedgerStore a payment and answers 201; 200 when its reference was known."""
        parameters(request.scope["query_string"], ())
        payment = self._top_up.decode(await read_body(request.receive, request.scope["headers"]))
        call = self._billing.TopUp(payment.to_request(), timeout=_TIMEOUT_S, metadata=call_metadata(request))
        booked = await answer_of(call, _BOOK)
        answer = TopUpAnswer(LedgerEntry.of(booked.entry), Balance.of(booked.terms))
        if booked.replayed:
            return json_answer(answer, headers={"Idempotent-Replay": "true"})
        return json_answer(answer, 201)

    async def statement(self, request: Request) -> Response:
        """Answers with a statement and a page of its entries."""
        values = parameters(
            request.scope["query_string"], ("userId", *PERIOD, "limit", "pageToken"), required=("userId",)
        )
        start, end = period(values)
        question = billing_pb2.ListLedgerEntriesRequest(
            user_id=values["userId"],
            period_start=start,
            period_end=end,
            page_size=limit(values, MAX_ENTRIES),
            page_token=values.get("pageToken", ""),
        )
        metadata = call_metadata(request)
        # Both calls stop at the same entry, so that the answer agrees with itself while the account sends: the first
        # page at what the statement counts, and the statement on the others at what their pages stop at.
        if question.page_token:
            page = await self._entries(question, metadata)
            statement = await self._totals(question, page, metadata)
        else:
            statement = await self._totals(question, question, metadata)
            if statement.HasField("through_entry_id"):
                question.through_entry_id = statement.through_entry_id
            page = await self._entries(question, metadata)
        headers = {"Link": next_link(STATEMENT, values, page.next_page_token)} if page.next_page_token else {}
        return json_answer(Statement.of(values["userId"], statement, page), headers=headers)

    async def _entries(
        self, question: billing_pb2.ListLedgerEntriesRequest, metadata: Metadata
    ) -> billing_pb2.ListLedgerEntriesResponse:
        call = self._billing.ListLedgerEntries(question, timeout=_TIMEOUT_S, metadata=metadata)
        return await answer_of(call, _READ)

    async def _totals(
        self,
        question: billing_pb2.ListLedgerEntriesRequest,
        bound: billing_pb2.ListLedgerEntriesRequest | billing_pb2.ListLedgerEntriesResponse,
        metadata: Metadata,
    ) -> billing_pb2.GetStatementResponse:
        totals = billing_pb2.GetStatementRequest(
            user_id=question.user_id,
            period_start=question.period_start,
            period_end=question.period_end,
            through_entry_id=bound.through_entry_id if bound.HasField("through_entry_id") else None,
        )
        return await answer_of(self._billing.GetStatement(totals, timeout=_TIMEOUT_S, metadata=metadata), _READ)
