"""The routes of the cost tiers: record and withdraw a price, see the present one, list the history, resolve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway_http.costs.cost_models import (
    LEVELS,
    CostHistoryRow,
    CurrentCost,
    Level,
    NewCost,
    NewWithdrawal,
    RecordedCost,
)
from gateway_http.costs.price_models import ResolvedPrice
from gateway_http.shared.idempotency_key import idempotency_key
from gateway_http.shared.json_answer import call_metadata, json_answer
from gateway_http.shared.problem import ProblemError
from gateway_http.shared.query import choice, flag, limit, moments, next_link, parameters
from gateway_http.shared.request_body import JsonBody, read_body
from gateway_http.shared.upstream import Call, answer_of
from tukupay.sms.pricing.v1 import pricing_pb2

if TYPE_CHECKING:
    from tukupay.sms.pricing.v1.pricing_pb2_grpc import PricingServiceAsyncStub

COSTS = "/api/sms-costs"
CURRENT = "/api/sms-costs/current"
HISTORY = "/api/sms-costs/history"
RESOLVE = "/api/sms-costs/resolve"
WITHDRAW = "/api/sms-costs/{costId}/withdraw"
MAX_HISTORY_ROWS = 1_000

_READ = Call("pricing")
_RECORD = Call(
    "pricing",
    "the price may or may not have been recorded: repeating the request is safe, it makes no second row under the "
    "same Idempotency-Key, and a new revision of the same price without one",
)
_WITHDRAW = Call("pricing", "the price may or may not have been withdrawn: repeating the request is safe")
_TIMEOUT_S = 10.0


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


class CostRoutes:
    """Speaks to the pricing service."""

    def __init__(self, pricing: PricingServiceAsyncStub) -> None:
        self._pricing = pricing
        self._body = JsonBody(NewCost)
        self._withdrawal = JsonBody(NewWithdrawal)

    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [
            Route(COSTS, self.record, methods=["POST"]),
            Route(CURRENT, self.current, methods=["GET"]),
            Route(HISTORY, self.history, methods=["GET"]),
            Route(RESOLVE, self.resolve, methods=["GET"]),
            Route(WITHDRAW, self.withdraw, methods=["POST"]),
        ]

    async def record(self, request: Request) -> Response:
        """Records a price and answers 201 with the row; 200 when its Idempotency-Key was known."""
        parameters(request.scope["query_string"], ())
        key = idempotency_key(request)
        cost = self._body.decode(await read_body(request.receive, request.scope["headers"]))
        asked = cost.to_request(key)
        call = self._pricing.SetCost(asked, timeout=_TIMEOUT_S, metadata=call_metadata(request))
        try:
            response = await answer_of(call, _RECORD)
        except ProblemError as refused:
            raise _with_field_to_set(refused, asked) from refused
        row = RecordedCost.of(response.cost)
        if response.replayed:
            return json_answer(row, headers={"Idempotent-Replay": "true"})
        return json_answer(row, 201)

    async def withdraw(self, request: Request) -> Response:
        """Takes a price back before it takes effect and answers with the row."""
        parameters(request.scope["query_string"], ())
        withdrawal = self._withdrawal.decode(await read_body(request.receive, request.scope["headers"]))
        call = self._pricing.WithdrawCost(
            withdrawal.to_request(request.path_params["costId"]), timeout=_TIMEOUT_S, metadata=call_metadata(request)
        )
        return json_answer(RecordedCost.of((await answer_of(call, _WITHDRAW)).cost))

    async def current(self, request: Request) -> Response:
        """Answers with the row that applies now, fallbacks included."""
        values = parameters(request.scope["query_string"], ("level", "appId", "customerId"), required=("level",))
        question = pricing_pb2.GetCurrentCostRequest(
            level=_level(values), app_id=values.get("appId"), customer_id=values.get("customerId")
        )
        call = self._pricing.GetCurrentCost(question, timeout=_TIMEOUT_S, metadata=call_metadata(request))
        response = await answer_of(call, _READ)
        return json_answer(CurrentCost.of(response.cost))

    async def history(self, request: Request) -> Response:
        """Answers with a bare array, oldest first, and a link to the next page when there is one."""
        known = ("level", "appId", "customerId", "limit", "pageToken")
        values = parameters(request.scope["query_string"], known, required=("level",))
        question = pricing_pb2.ListCostsRequest(
            level=_level(values),
            app_id=values.get("appId"),
            customer_id=values.get("customerId"),
            page_size=limit(values, MAX_HISTORY_ROWS),
            page_token=values.get("pageToken", ""),
        )
        call = self._pricing.ListCosts(question, timeout=_TIMEOUT_S, metadata=call_metadata(request))
        page = await answer_of(call, _READ)
        token = page.next_page_token
        headers = {"Link": next_link(HISTORY, values, token)} if token else {}
        return json_answer([CostHistoryRow.of(cost) for cost in page.costs], headers=headers)

    async def resolve(self, request: Request) -> Response:
        """Answers with the price of one customer at an instant, and on request with why it is that."""
        known = ("customerId", "appId", "at", "knownAt", "explain")
        values = parameters(request.scope["query_string"], known, required=("customerId",))
        explain = flag(values, "explain")
        instants = moments(values, "at", "knownAt")
        question = pricing_pb2.ResolvePriceRequest(
            customer_id=values["customerId"],
            app_id=values.get("appId"),
            at=instants.get("at"),
            known_at=instants.get("knownAt"),
            explain=explain,
        )
        call = self._pricing.ResolvePrice(question, timeout=_TIMEOUT_S, metadata=call_metadata(request))
        return json_answer(ResolvedPrice.of(await answer_of(call, _READ), explained=explain))


def _level(values: Mapping[str, str]) -> pricing_pb2.CostLevel.ValueType:
    return LEVELS[cast("Level", choice(values, "level", tuple(LEVELS)))]
