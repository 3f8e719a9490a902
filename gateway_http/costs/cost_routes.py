"""The routes of the cost tiers: record a price, see the present one, list the history, resolve, withdraw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.responses import Response

from gateway_http.costs.cost_models import CostHistoryRow, CurrentCost, NewCost, NewWithdrawal, RecordedCost
from gateway_http.costs.cost_operations import (
    ADD_SMS_COST,
    GET_CURRENT_SMS_COST,
    LIST_SMS_COSTS,
    RESOLVE_SMS_COST,
    WITHDRAW_SMS_COST,
)
from gateway_http.costs.price_models import ResolvedPrice
from gateway_http.shared.cost_levels import LEVELS
from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.problem import ProblemError
from gateway_http.shared.query import chosen, flag, moments
from gateway_http.shared.route import RestRequest, RestRoutes, handles, handles_body
from gateway_http.shared.upstream import Call
from tukupay.sms.pricing.v1 import pricing_pb2

if TYPE_CHECKING:
    from tukupay.sms.pricing.v1.pricing_pb2_grpc import PricingServiceAsyncStub

_READ = Call("pricing")
_RECORD = Call(
    "pricing",
    "the price may or may not have been recorded: repeating the request is safe, it makes no second row under the "
    "same Idempotency-Key, and a new revision of the same price without one",
)
_WITHDRAW = Call("pricing", "the price may or may not have been withdrawn: repeating the request is safe")


def _with_field_to_set(refused: ProblemError, asked: pricing_pb2.SetCostRequest) -> ProblemError:
    """The same refusal, naming the field that a caller of REST sets to have such a price recorded."""
    if refused.reason == "PRICE_GUARD":
        return replace(refused, detail=f"{refused.detail}. Set overrideGuards to true for that")
    is_free = asked.price_micros == 0 and any(
        (fault.field, fault.reason) == ("pricePerSms", "OUT_OF_RANGE") for fault in refused.errors
    )
    if is_free:
        return replace(refused, detail=f"{refused.detail}. Set allowFree to true if messages shall be free of charge")
    return refused


class CostRoutes(RestRoutes):
    """Speaks to the pricing service."""

    def __init__(self, pricing: PricingServiceAsyncStub) -> None:
        self._pricing = pricing

    @handles_body(ADD_SMS_COST)
    async def record(self, request: RestRequest, cost: NewCost) -> Response:
        """Records a price and answers 201 with the row; 200 when its Idempotency-Key was known."""
        question = cost.to_request(request.key)
        try:
            response = await request.answer(self._pricing.SetCost, question, _RECORD)
        except ProblemError as refused:
            raise _with_field_to_set(refused, question) from refused
        row = RecordedCost.of(response.cost)
        if response.replayed:
            return json_answer(row, headers={"Idempotent-Replay": "true"})
        return json_answer(row, 201)

    @handles(GET_CURRENT_SMS_COST)
    async def current(self, request: RestRequest) -> Response:
        """Answers with the row that applies now, fallbacks included."""
        question = pricing_pb2.GetCurrentCostRequest(
            level=_level(request.query),
            app_id=request.query.get("appId"),
            customer_id=request.query.get("customerId"),
        )
        return json_answer(CurrentCost.of((await request.answer(self._pricing.GetCurrentCost, question, _READ)).cost))

    @handles(LIST_SMS_COSTS)
    async def history(self, request: RestRequest) -> Response:
        """Answers with a bare array, oldest first."""
        question = pricing_pb2.ListCostsRequest(
            level=_level(request.query),
            app_id=request.query.get("appId"),
            customer_id=request.query.get("customerId"),
            page_size=request.page_size(),
            page_token=request.page_token(),
        )
        page = await request.answer(self._pricing.ListCosts, question, _READ)
        return request.page([CostHistoryRow.of(cost) for cost in page.costs], page.next_page_token)

    @handles(RESOLVE_SMS_COST)
    async def resolve(self, request: RestRequest) -> Response:
        """Answers with the price of one customer at an instant, and on request with why it is that."""
        explain = flag(request.query, "explain")
        instants = moments(request.query, "at", "knownAt")
        question = pricing_pb2.ResolvePriceRequest(
            customer_id=request.query["customerId"],
            app_id=request.query.get("appId"),
            at=instants.get("at"),
            known_at=instants.get("knownAt"),
            explain=explain,
        )
        found = await request.answer(self._pricing.ResolvePrice, question, _READ)
        return json_answer(ResolvedPrice.of(found, explained=explain))

    @handles_body(WITHDRAW_SMS_COST)
    async def withdraw(self, request: RestRequest, withdrawal: NewWithdrawal) -> Response:
        """Takes a price back before it takes effect and answers with the row."""
        question = withdrawal.to_request(request.path["costId"])
        return json_answer(
            RecordedCost.of((await request.answer(self._pricing.WithdrawCost, question, _WITHDRAW)).cost)
        )


def _level(query: Mapping[str, str]) -> pricing_pb2.CostLevel.ValueType:
    return chosen(query, "level", LEVELS, pricing_pb2.COST_LEVEL_UNSPECIFIED)
