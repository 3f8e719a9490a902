"""Answers the calls of PricingService."""
# ruff: noqa: N802 - the methods are named by the proto

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from pricing_service.domain import reasons
from pricing_service.domain.history import read_page_size
from pricing_service.domain.idempotency import read_key
from pricing_service.domain.price_question import PriceQuestion
from pricing_service.domain.resolution import DraftPrice
from pricing_service.domain.withdrawing import ask_withdrawal
from pricing_service.transport.cost_messages import (
    LEVELS,
    read_draft,
    read_draft_price,
    read_named_tier,
    read_position,
    read_question,
    to_cost,
    to_price,
    to_token,
)
from pricing_service.transport.history_messages import read_tiers, to_instants
from pricing_service.transport.import_in_parts import import_in_parts
from pricing_service.transport.import_messages import answerable, bounded, import_answer, read_import
from pricing_service.transport.wire_instants import read_duration
from pricing_service.use_cases.export_costs import ExportCosts
from pricing_service.use_cases.get_current_cost import GetCurrentCost
from pricing_service.use_cases.import_costs import ImportCosts
from pricing_service.use_cases.list_costs import ListCosts
from pricing_service.use_cases.list_instants import ListInstants
from pricing_service.use_cases.resolve_prices import ResolvedPrice, ResolvePrices
from pricing_service.use_cases.set_cost import SetCost
from pricing_service.use_cases.watch_prices import PriceWatch
from pricing_service.use_cases.withdraw_cost import WithdrawCost
from service_kit.audit.actor import actor
from service_kit.errors import ServiceError, Violation, invalid
from service_kit.grpc.context import Context
from service_kit.grpc.grpc_errors import CODES
from service_kit.grpc.timestamps import to_timestamp
from service_kit.request_id import valid
from tukupay.sms.common.v1 import errors_pb2
from tukupay.sms.pricing.v1 import pricing_pb2, pricing_pb2_grpc

log = structlog.get_logger()

SERVICE_NAME: Final = pricing_pb2.DESCRIPTOR.services_by_name["PricingService"].full_name
MAX_QUESTIONS: Final = 1_000
MAX_DRAFTS: Final = 1_000
DEFAULT_HEARTBEAT: Final = timedelta(seconds=1)
HEARTBEAT_BOUNDS: Final = (timedelta(milliseconds=100), timedelta(seconds=60))


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the service can do."""

    set_cost: SetCost
    get_current_cost: GetCurrentCost
    list_costs: ListCosts
    list_instants: ListInstants
    resolve_prices: ResolvePrices
    withdraw_cost: WithdrawCost
    import_costs: ImportCosts
    export_costs: ExportCosts
    price_watch: PriceWatch


class PricingServicer(pricing_pb2_grpc.PricingServiceServicer):
    """Reads requests, calls use cases, writes answers; failures are ServiceErrors for the interceptor.

    ResolvePrice is answered by `price_now.py` first, whose handler is registered before this servicer: each send asks
    for the price of now, and gets it from memory as bytes that were serialized before, which saves most of the call's
    time. Only questions with `at`, `known_at` or `explain` come on to the method here.
    """

    def __init__(self, use_cases: UseCases) -> None:
        self._use_cases = use_cases

    async def SetCost(self, request: pricing_pb2.SetCostRequest, context: Context) -> pricing_pb2.SetCostResponse:
        """Records a price."""
        del context
        violations: list[Violation] = []
        key = read_key(request.idempotency_key if request.HasField("idempotency_key") else None, violations)
        cost, replayed = await self._use_cases.set_cost(read_draft(request, violations), key, actor=actor())
        return pricing_pb2.SetCostResponse(cost=to_cost(cost), replayed=replayed)

    async def WithdrawCost(
        self, request: pricing_pb2.WithdrawCostRequest, context: Context
    ) -> pricing_pb2.WithdrawCostResponse:
        """Takes back a row before it takes effect."""
        del context
        cost = await self._use_cases.withdraw_cost(
            ask_withdrawal(request.cost_id, request.withdrawn_by, request.reason), actor=actor()
        )
        return pricing_pb2.WithdrawCostResponse(cost=to_cost(cost))

    async def ImportCosts(
        self, request: pricing_pb2.ImportCostsRequest, context: Context
    ) -> pricing_pb2.ImportCostsResponse:
        """Records many prices, or says what that would do."""
        del context
        drafts, key = await read_import(request)
        rows, replayed = await answerable(
            self._use_cases.import_costs(drafts, key, dry_run=request.dry_run, actor=actor())
        )
        return await import_answer(rows, replayed=replayed)

    async def ImportCostsInParts(
        self, request_iterator: AsyncIterator[pricing_pb2.ImportCostsInPartsRequest], context: Context
    ) -> AsyncIterator[pricing_pb2.ImportCostsInPartsResponse]:
        """Records very many prices, or says what that would do."""
        del context
        async with aclosing(import_in_parts(self._use_cases.import_costs, request_iterator, actor=actor())) as answers:
            async for answer in answers:
                yield answer

    async def ExportCosts(
        self, request: pricing_pb2.ExportCostsRequest, context: Context
    ) -> AsyncIterator[pricing_pb2.ExportCostsResponse]:
        """Every row in effect now or later, by pages."""
        del context
        level = LEVELS.get(request.level)
        if level is None and request.level != pricing_pb2.COST_LEVEL_UNSPECIFIED:
            raise invalid([Violation("level", reasons.INVALID_LEVEL, "is unknown; leave it out for every level")])
        async with aclosing(self._use_cases.export_costs(level)) as pages:
            async for page in pages:
                yield pricing_pb2.ExportCostsResponse(costs=[to_cost(cost) for cost in page])

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

    async def BatchListChangeInstants(
        self, request: pricing_pb2.BatchListChangeInstantsRequest, context: Context
    ) -> pricing_pb2.BatchListChangeInstantsResponse:
        """When prices changed."""
        del context
        tiers = read_tiers(request)
        return to_instants(await self._use_cases.list_instants(tiers))

    async def ResolvePrice(
        self, request: pricing_pb2.ResolvePriceRequest, context: Context
    ) -> pricing_pb2.ResolvePriceResponse:
        """The price of one SMS unit, for questions that `price_now.py` does not answer from memory."""
        del context
        question = read_question(request)
        resolve = self._use_cases.resolve_prices
        return to_price(await (resolve.explained(question) if request.explain else resolve.one(question)))

    async def BatchResolvePrices(
        self, request: pricing_pb2.BatchResolvePricesRequest, context: Context
    ) -> pricing_pb2.BatchResolvePricesResponse:
        """A price or a failure for each question."""
        del context
        count = len(request.requests)
        if not 1 <= count <= MAX_QUESTIONS:
            problem = f"has {count} questions; ask 1 to {MAX_QUESTIONS} at once"
            raise invalid([Violation("requests", reasons.OUT_OF_RANGE, problem)])
        drafts = _read_drafts(request.drafts)
        read = [_read_or_fail(question) for question in request.requests]
        questions = [question for question in read if isinstance(question, PriceQuestion)]
        resolved = iter(await self._use_cases.resolve_prices.many(questions, drafts))
        answers = [next(resolved) if isinstance(question, PriceQuestion) else question for question in read]
        for asked, answer in zip(request.requests, answers, strict=True):
            _log_question(asked, answer)
        return pricing_pb2.BatchResolvePricesResponse(results=[_to_result(answer) for answer in answers])

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
                    epoch=news.epoch, changes=[to_cost(cost) for cost in news.changes], now=to_timestamp(news.now)
                )


def _read_or_fail(request: pricing_pb2.ResolvePriceRequest) -> PriceQuestion | ServiceError:
    if request.explain:
        return invalid([Violation("explain", reasons.NOT_ALLOWED, "is for single questions; ask ResolvePrice")])
    try:
        return read_question(request)
    except ServiceError as failure:
        return failure


def _log_question(asked: pricing_pb2.ResolvePriceRequest, answer: ResolvedPrice | ServiceError) -> None:
    """Notes what became of a question for each request that waits for it; answers at the level DEBUG only."""
    for given in asked.request_ids:
        if request_id := valid(given):
            if isinstance(answer, ServiceError):
                log.info("price.refused", reason=answer.reason, request_id=request_id)
            else:
                log.debug("price.resolved", cost_id=answer.cost.cost_id, request_id=request_id)


def _read_drafts(drafts: Sequence[pricing_pb2.DraftCost]) -> list[DraftPrice]:
    if len(drafts) > MAX_DRAFTS:
        problem = f"has {len(drafts)} drafts; try at most {MAX_DRAFTS} at once"
        raise invalid([Violation("drafts", reasons.OUT_OF_RANGE, problem)])
    violations: list[Violation] = []
    read = [read_draft_price(place, draft, violations) for place, draft in enumerate(drafts)]
    if violations:
        raise bounded(invalid(violations))
    return [draft for draft in read if draft is not None]


def _to_result(answer: ResolvedPrice | ServiceError) -> pricing_pb2.PriceResult:
    if isinstance(answer, ServiceError):
        error = errors_pb2.ItemError(
            code=CODES[answer.kind],
            reason=answer.reason,
            message=answer.message,
            violations=[
                errors_pb2.FieldViolation(field=v.field, reason=v.reason, description=v.description)
                for v in answer.violations
            ],
            metadata=dict(answer.metadata),
        )
        return pricing_pb2.PriceResult(error=error)
    return pricing_pb2.PriceResult(price=to_price(answer))
