"""Asks pricing_service about the past, for reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Final

import grpc
import structlog
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio
from typing_extensions import override

from messaging_service.prices.domain.book_prices import (
    BookPrice,
    BookQuestion,
    DraftPrice,
    RowInstants,
    Tier,
    TierHistory,
)
from messaging_service.prices.price_book_port import PriceBook
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.money import Price, PriceLevel, from_micros, to_micros
from service_kit.errors import Kind, ServiceError
from service_kit.grpc.grpc_errors import from_rpc_error
from service_kit.grpc.grpc_metrics import CallMeter, UncountedCalls
from service_kit.grpc.timestamps import to_datetime, to_timestamp
from service_kit.request_id import to_metadata
from tukupay.sms.pricing.v1 import pricing_pb2, pricing_pb2_grpc

LEVELS: Final[dict[PriceLevel, pricing_pb2.CostLevel.ValueType]] = {
    PriceLevel.TUKUPAY: pricing_pb2.COST_LEVEL_TUKUPAY,
    PriceLevel.APP_OWNER: pricing_pb2.COST_LEVEL_APP_OWNER,
    PriceLevel.SPECIFIC_CUSTOMER: pricing_pb2.COST_LEVEL_SPECIFIC_CUSTOMER,
    PriceLevel.DIRECT_CUSTOMER: pricing_pb2.COST_LEVEL_DIRECT_CUSTOMER,
}
_LEVEL_OF: Final = {value: level for level, value in LEVELS.items()}

_ANYBODY: Final = "anybody"
"""A customer who needs no price of its own: any answer has the time."""
_CLOCK_DIFFERENCES: Final = tuple(timedelta(seconds=seconds) for seconds in (0, 1, 10, 60, 600))
MAX_TIERS: Final = 500
"""Histories in one call; most have a few rows, and an answer has room for 20,000."""
_NEVER: Final = TierHistory(())

log = structlog.get_logger()


class BookClient(PriceBook):
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

        `calls` counts every call; None for no figures.
        """
        self._calls = calls or UncountedCalls()
        self._stub = pricing_pb2_grpc.PricingServiceStub(channel)
        self._timeout_s = timeout_s
        self._now = now

    @override
    async def present(self, drafts: Sequence[DraftPrice] = ()) -> datetime:
        (answer,) = await self._batch([pricing_pb2.ResolvePriceRequest(customer_id=_ANYBODY)], drafts)
        if answer.WhichOneof("result") == "price":
            return _instant(answer.price.resolved_at)
        # Nothing is priced now, so the answer has no time: try our own clock, and earlier if it is ahead.
        for difference in _CLOCK_DIFFERENCES:
            instant = self._now() - difference
            (answer,) = await self._batch(
                [pricing_pb2.ResolvePriceRequest(customer_id=_ANYBODY, known_at=to_timestamp(instant))]
            )
            if answer.WhichOneof("result") == "price" or answer.error.reason == "NO_PRICE":
                return instant
        raise _unavailable()

    @override
    async def prices(
        self, questions: Sequence[BookQuestion], drafts: Sequence[DraftPrice] = ()
    ) -> Sequence[BookPrice | None]:
        answers = await self._batch([_to_request(question) for question in questions], drafts)
        return [_to_price(answer) for answer in answers]

    @override
    async def histories(self, tiers: Sequence[Tier]) -> Sequence[TierHistory]:
        found: list[TierHistory] = []
        for start in range(0, len(tiers), MAX_TIERS):
            chunk = tiers[start : start + MAX_TIERS]
            request = pricing_pb2.BatchListChangeInstantsRequest(tiers=[_to_tier(tier) for tier in chunk])
            try:
                answer = await self._stub.BatchListChangeInstants(
                    request, timeout=self._timeout_s, metadata=to_metadata()
                )
            except aio.AioRpcError as error:
                raise _failure(error) from error
            for tier, history in zip(chunk, answer.tiers, strict=True):
                found.append(await self._long_history(tier) if history.incomplete else _to_history(history.rows))
        return found

    async def _long_history(self, tier: Tier) -> TierHistory:
        """Row by row, what has no room in an answer for many."""
        named = _to_tier(tier)
        request = pricing_pb2.ListCostsRequest(level=named.level, page_size=1_000)
        if named.HasField("customer_id"):
            request.customer_id = named.customer_id
        elif named.HasField("app_id"):
            request.app_id = named.app_id
        rows: list[RowInstants] = []
        while True:
            try:
                page = await self._stub.ListCosts(request, timeout=self._timeout_s, metadata=to_metadata())
            except aio.AioRpcError as error:
                raise _failure(error) from error
            for cost in page.costs:
                # A customer's history also lists the defaults that it had before.
                if cost.level == named.level:
                    withdrawn = _instant(cost.withdrawal.withdrawn_time) if cost.HasField("withdrawal") else None
                    rows.append(RowInstants(_instant(cost.effective_from), _instant(cost.recorded_time), withdrawn))
            if not page.next_page_token:
                return TierHistory(tuple(rows))
            request.page_token = page.next_page_token

    async def _batch(
        self, requests: Sequence[pricing_pb2.ResolvePriceRequest], drafts: Sequence[DraftPrice] = ()
    ) -> Sequence[pricing_pb2.PriceResult]:
        request = pricing_pb2.BatchResolvePricesRequest(
            requests=requests, drafts=[_to_draft(draft) for draft in drafts]
        )
        try:
            response = await self._calls.answer(
                "PricingService/BatchResolvePrices",
                self._stub.BatchResolvePrices(request, timeout=self._timeout_s, metadata=to_metadata()),
            )
        except aio.AioRpcError as error:
            raise _failure(error) from error
        return response.results


def _to_tier(tier: Tier) -> pricing_pb2.CostTier:
    named = pricing_pb2.CostTier(level=LEVELS[tier.level])
    if tier.level is PriceLevel.SPECIFIC_CUSTOMER:
        named.customer_id = tier.entity
    elif tier.level is PriceLevel.APP_OWNER:
        named.app_id = tier.entity
    return named


def _to_history(rows: Iterable[pricing_pb2.CostInstants]) -> TierHistory:
    instants = [
        RowInstants(
            _instant(row.effective_from),
            _instant(row.recorded_time),
            _instant(row.withdrawn_time) if row.HasField("withdrawn_time") else None,
        )
        for row in rows
    ]
    return TierHistory(tuple(sorted(instants, key=itemgetter(0)))) if instants else _NEVER


def _to_request(question: BookQuestion) -> pricing_pb2.ResolvePriceRequest:
    return pricing_pb2.ResolvePriceRequest(
        customer_id=question.customer_id,
        app_id=question.app_id,
        at=to_timestamp(question.at),
        known_at=to_timestamp(question.known_at),
    )


def _to_draft(draft: DraftPrice) -> pricing_pb2.DraftCost:
    return pricing_pb2.DraftCost(
        level=LEVELS[draft.level],
        price_micros=to_micros(draft.unit_price),
        customer_id=draft.customer_id,
        app_id=draft.app_id,
        effective_from=to_timestamp(draft.effective_from),
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
    if result.error.reason == "NO_PRICE":
        return None
    log.warning("price_book.question_refused", reason=result.error.reason)
    raise _unavailable()


def _instant(stamp: Timestamp) -> datetime:
    return _moment(stamp.seconds, stamp.nanos)


@lru_cache(maxsize=4_096)
def _moment(seconds: int, nanos: int) -> datetime:
    # Price lists take effect together: one instant for all of their rows.
    return to_datetime(Timestamp(seconds=seconds, nanos=nanos))


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
        reasons.PRICING_UNAVAILABLE,
        "the pricing service does not answer; nothing was changed, try again shortly",
        retry_after=timedelta(seconds=2),
    )
