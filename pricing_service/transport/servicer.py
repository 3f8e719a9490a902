"""Answers the calls of PricingService."""
# ruff: noqa: N802 - the methods are named by the proto

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from grpc import aio

from pricing_service.domain.history import read_page_size
from pricing_service.domain.price_question import PriceQuestion
from pricing_service.transport.cost_messages import (
    read_draft,
    read_named_tier,
    read_position,
    read_question,
    to_cost,
    to_token,
)
from pricing_service.transport.instants import read_duration, to_timestamp
from pricing_service.use_cases.get_current_cost import GetCurrentCost
from pricing_service.use_cases.list_costs import ListCosts
from pricing_service.use_cases.resolve_prices import ResolvedPrice, ResolvePrices
from pricing_service.use_cases.set_cost import SetCost
from pricing_service.use_cases.watch_prices import PriceWatch
from service_kit.errors import ServiceError, Violation, invalid
from service_kit.grpc_errors import CODES
from tukupay.sms.pricing.v1 import pricing_pb2, pricing_pb2_grpc

SERVICE_NAME: Final = pricing_pb2.DESCRIPTOR.services_by_name["PricingService"].full_name
MAX_QUESTIONS: Final = 1_000
DEFAULT_HEARTBEAT: Final = timedelta(seconds=1)
HEARTBEAT_BOUNDS: Final = (timedelta(milliseconds=100), timedelta(seconds=60))

Context = aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the service can do."""

    set_cost: SetCost
    get_current_cost: GetCurrentCost
    list_costs: ListCosts
    resolve_prices: ResolvePrices
    price_watch: PriceWatch


class PricingServicer(pricing_pb2_grpc.PricingServiceServicer):
    """Reads requests, calls use cases, writes answers; failures are ServiceErrors for the interceptor."""

    def __init__(self, use_cases: UseCases) -> None:
        self._use_cases = use_cases

    async def SetCost(self, request: pricing_pb2.SetCostRequest, context: Context) -> pricing_pb2.SetCostResponse:
        """Records a price."""
        del context
        cost = await self._use_cases.set_cost(read_draft(request))
        return pricing_pb2.SetCostResponse(cost=to_cost(cost))

    async def GetCurrentCost(
        self, request: pricing_pb2.GetCurrentCostRequest, context: Context
    ) -> pricing_pb2.GetCurrentCostResponse:
        """The row in effect now, fallbacks included."""
        del context
        violations: list[Violation] = []
        tier = read_named_tier(request, violations)
        if tier is None:
            raise invalid(violations)
        cost = await self._use_cases.get_current_cost(tier)
        return pricing_pb2.GetCurrentCostResponse(cost=to_cost(cost))

    async def ListCosts(self, request: pricing_pb2.ListCostsRequest, context: Context) -> pricing_pb2.ListCostsResponse:
        """One page of a history."""
        del context
        violations: list[Violation] = []
        tier = read_named_tier(request, violations)
        page_size = read_page_size(request.page_size, violations)
        after = read_position(request.page_token, tier, violations) if tier else None
        if tier is None or violations:
            raise invalid(violations)
        page = await self._use_cases.list_costs(tier, after, page_size)
        return pricing_pb2.ListCostsResponse(
            costs=[to_cost(cost) for cost in page.costs], next_page_token=to_token(page.following, tier)
        )

    async def ResolvePrice(
        self, request: pricing_pb2.ResolvePriceRequest, context: Context
    ) -> pricing_pb2.ResolvePriceResponse:
        """The price of one SMS unit."""
        del context
        return _to_price(await self._use_cases.resolve_prices.one(read_question(request)))

    async def BatchResolvePrices(
        self, request: pricing_pb2.BatchResolvePricesRequest, context: Context
    ) -> pricing_pb2.BatchResolvePricesResponse:
        """A price or a failure for each question."""
        del context
        count = len(request.requests)
        if not 1 <= count <= MAX_QUESTIONS:
            problem = f"has {count} questions; ask 1 to {MAX_QUESTIONS} at once"
            raise invalid([Violation("requests", "OUT_OF_RANGE", problem)])
        read = [_read_or_fail(question) for question in request.requests]
        questions = [question for question in read if isinstance(question, PriceQuestion)]
        answers = iter(await self._use_cases.resolve_prices.many(questions))
        return pricing_pb2.BatchResolvePricesResponse(
            results=[
                _to_result(next(answers) if isinstance(question, PriceQuestion) else question) for question in read
            ]
        )

    async def WatchPrices(
        self, request: pricing_pb2.WatchPricesRequest, context: Context
    ) -> AsyncIterator[pricing_pb2.WatchPricesResponse]:
        """The present epoch, then changes and heartbeats until either side ends."""
        del context
        heartbeat = DEFAULT_HEARTBEAT
        violations: list[Violation] = []
        if request.HasField("heartbeat_interval"):
            heartbeat = read_duration("heartbeat_interval", request.heartbeat_interval, HEARTBEAT_BOUNDS, violations)
        if violations:
            raise invalid(violations)
        async with aclosing(self._use_cases.price_watch.watch(heartbeat)) as watch:
            async for news in watch:
                yield pricing_pb2.WatchPricesResponse(
                    epoch=news.epoch, changes=[to_cost(cost) for cost in news.changes]
                )


def _read_or_fail(request: pricing_pb2.ResolvePriceRequest) -> PriceQuestion | ServiceError:
    try:
        return read_question(request)
    except ServiceError as failure:
        return failure


def _to_price(price: ResolvedPrice) -> pricing_pb2.ResolvePriceResponse:
    return pricing_pb2.ResolvePriceResponse(cost=to_cost(price.cost), resolved_at=to_timestamp(price.resolved_at))


def _to_result(answer: ResolvedPrice | ServiceError) -> pricing_pb2.PriceResult:
    if isinstance(answer, ServiceError):
        failure = pricing_pb2.PriceFailure(code=CODES[answer.kind], reason=answer.reason, message=answer.message)
        return pricing_pb2.PriceResult(failure=failure)
    return pricing_pb2.PriceResult(price=_to_price(answer))
