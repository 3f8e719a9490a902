"""Asks pricing_service about the past, for reports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import grpc
import structlog
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio

from messaging_service.domain.money import Price, PriceLevel, from_micros, to_micros
from messaging_service.domain.price_book import BookPrice, BookQuestion, DraftPrice, Tier, TierHistory
from service_kit.errors import Kind, ServiceError
from service_kit.grpc_errors import from_rpc_error
from service_kit.grpc_metrics import CallMeter, UncountedCalls
from tukupay.sms.pricing.v1 import pricing_pb2, pricing_pb2_grpc

LEVELS: Final[dict[PriceLevel, pricing_pb2.CostLevel.ValueType]] = {
    PriceLevel.TUKUPAY: pricing_pb2.COST_LEVEL_TUKUPAY,
    PriceLevel.APP_OWNER: pricing_pb2.COST_LEVEL_APP_OWNER,
    PriceLevel.SPECIFIC_CUSTOMER: pricing_pb2.COST_LEVEL_SPECIFIC_CUSTOMER,
    PriceLevel.DIRECT_CUSTOMER: pricing_pb2.COST_LEVEL_DIRECT_CUSTOMER,
}
_LEVEL_OF: Final = {value: level for level, value in LEVELS.items()}

_ANYBODY: Final = "anybody"
"""A customer who needs no price of its own: any answer tells the time."""
_CLOCK_DIFFERENCES: Final = tuple(timedelta(seconds=seconds) for seconds in (0, 1, 10, 60, 600))
_AT_ONCE: Final = 16
"""Histories that are read side by side."""

log = structlog.get_logger()


class BookClient:
    """Implements the port PriceBook over gRPC."""

    def __init__(
        self,
        channel: aio.Channel,
        *,
        timeout_s: float,
        now: Callable[[], datetime],
        calls: CallMeter | None = None,
    ) -> None:
        """`timeout_s` bounds each call; reports ask much at once, and nobody waits at a phone.

        `calls` hears of every call; None: nobody does.
        """
        self._calls = calls or UncountedCalls()
        self._stub = pricing_pb2_grpc.PricingServiceStub(channel)
        self._timeout_s = timeout_s
        self._now = now

    async def present(self, drafts: Sequence[DraftPrice] = ()) -> datetime:
        """See PriceBook.present."""
        (answer,) = await self._batch([pricing_pb2.ResolvePriceRequest(customer_id=_ANYBODY)], drafts)
        if answer.WhichOneof("result") == "price":
            return _instant(answer.price.resolved_at)
        # Nothing is priced now, so the answer has no time: try our own clock, and earlier if it is ahead.
        for difference in _CLOCK_DIFFERENCES:
            instant = self._now() - difference
            (answer,) = await self._batch(
                [pricing_pb2.ResolvePriceRequest(customer_id=_ANYBODY, known_at=_stamp(instant))]
            )
            if answer.WhichOneof("result") == "price" or answer.failure.reason == "NO_PRICE":
                return instant
        raise _unavailable()

    async def prices(
        self, questions: Sequence[BookQuestion], drafts: Sequence[DraftPrice] = ()
    ) -> Sequence[BookPrice | None]:
        """See PriceBook.prices."""
        answers = await self._batch([_to_request(question) for question in questions], drafts)
        return [_to_price(answer) for answer in answers]

    async def histories(self, tiers: Sequence[Tier]) -> Sequence[TierHistory]:
        """See PriceBook.histories."""
        found: dict[Tier, TierHistory] = {}
        waiting = iter(tiers)

        async def read() -> None:
            for tier in waiting:
                found[tier] = await self._history(tier)

        try:
            async with asyncio.TaskGroup() as readers:
                for _ in range(min(_AT_ONCE, len(tiers))):
                    readers.create_task(read())
        except* ServiceError as failures:
            raise failures.exceptions[0] from None
        return [found[tier] for tier in tiers]

    async def _history(self, tier: Tier) -> TierHistory:
        request = pricing_pb2.ListCostsRequest(level=LEVELS[tier.level], page_size=1_000)
        if tier.level is PriceLevel.SPECIFIC_CUSTOMER:
            request.customer_id = tier.entity
        elif tier.level is PriceLevel.APP_OWNER:
            request.app_id = tier.entity
        effective: set[datetime] = set()
        known: set[datetime] = set()
        while True:
            try:
                page = await self._calls.answer(
                    "PricingService/ListCosts", self._stub.ListCosts(request, timeout=self._timeout_s)
                )
            except aio.AioRpcError as error:
                raise _failure(error) from error
            for cost in page.costs:
                effective.add(_instant(cost.effective_from))
                known.add(_instant(cost.recorded_time))
                if cost.HasField("withdrawal"):
                    known.add(_instant(cost.withdrawal.withdrawn_time))
            if not page.next_page_token:
                return TierHistory(tuple(sorted(effective)), tuple(sorted(known)))
            request.page_token = page.next_page_token

    async def _batch(
        self, requests: Sequence[pricing_pb2.ResolvePriceRequest], drafts: Sequence[DraftPrice] = ()
    ) -> Sequence[pricing_pb2.PriceResult]:
        request = pricing_pb2.BatchResolvePricesRequest(
            requests=requests, drafts=[_to_draft(draft) for draft in drafts]
        )
        try:
            response = await self._calls.answer(
                "PricingService/BatchResolvePrices", self._stub.BatchResolvePrices(request, timeout=self._timeout_s)
            )
        except aio.AioRpcError as error:
            raise _failure(error) from error
        return response.results


def _to_request(question: BookQuestion) -> pricing_pb2.ResolvePriceRequest:
    return pricing_pb2.ResolvePriceRequest(
        customer_id=question.customer_id,
        app_id=question.app_id,
        at=_stamp(question.at),
        known_at=_stamp(question.known_at),
    )


def _to_draft(draft: DraftPrice) -> pricing_pb2.DraftCost:
    return pricing_pb2.DraftCost(
        level=LEVELS[draft.level],
        price_micros=to_micros(draft.unit_price),
        customer_id=draft.customer_id,
        app_id=draft.app_id,
        effective_from=_stamp(draft.effective_from),
    )


def _to_price(result: pricing_pb2.PriceResult) -> BookPrice | None:
    if result.WhichOneof("result") == "price":
        cost = result.price.cost
        return BookPrice(
            price=Price(from_micros(cost.price_micros), cost.cost_id, _LEVEL_OF[cost.level]),
            effective_from=_instant(cost.effective_from),
            recorded_at=_instant(cost.recorded_time),
            revision=cost.revision,
            valid_until=_instant(result.price.valid_until) if result.price.HasField("valid_until") else None,
        )
    if result.failure.reason == "NO_PRICE":
        return None
    log.warning("price_book.question_refused", reason=result.failure.reason)
    raise _unavailable()


def _stamp(instant: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(instant)
    return stamp


def _instant(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)


def _failure(error: aio.AioRpcError) -> ServiceError:
    refusal = from_rpc_error(error)
    if refusal is not None and refusal.kind is Kind.INVALID:
        faults = [violation for violation in refusal.violations if violation.field.startswith("drafts")]
        if faults and len(faults) == len(refusal.violations):
            return refusal
    code: grpc.StatusCode = error.code()
    log.warning("price_book.call_failed", code=code.name)
    return _unavailable()


def _unavailable() -> ServiceError:
    return ServiceError(
        Kind.UNAVAILABLE,
        "PRICING_UNAVAILABLE",
        "the pricing service does not answer; nothing was changed, try again shortly",
        retry_after=timedelta(seconds=2),
    )
