"""Asks pricing_service what a unit costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

import grpc
import structlog
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio

from messaging_service.prices.domain.price_copy import Answer
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.money import Price, PriceLevel, from_micros
from service_kit.errors import Kind, ServiceError
from service_kit.grpc.grpc_metrics import CallMeter, UncountedCalls
from service_kit.grpc.timestamps import to_datetime, to_timestamp
from service_kit.grpc.traced_calls import traced_if_sampled
from service_kit.request_id import METADATA_KEY
from tukupay.sms.pricing.v1 import pricing_pb2, pricing_pb2_grpc

LEVELS: dict[int, PriceLevel] = {
    pricing_pb2.COST_LEVEL_TUKUPAY: PriceLevel.TUKUPAY,
    pricing_pb2.COST_LEVEL_APP_OWNER: PriceLevel.APP_OWNER,
    pricing_pb2.COST_LEVEL_SPECIFIC_CUSTOMER: PriceLevel.SPECIFIC_CUSTOMER,
    pricing_pb2.COST_LEVEL_DIRECT_CUSTOMER: PriceLevel.DIRECT_CUSTOMER,
}

MAX_QUESTIONS = 1_000
"""Of one call; the price book takes no more."""

Question = tuple[str, str | None, datetime | None]
"""Customer, app, and the instant; None is now."""

log = structlog.get_logger()


class PriceQuestions:
    """Puts questions to the price book, all of a call at one moment."""

    def __init__(self, channel: aio.Channel, *, timeout_s: float, calls: CallMeter | None = None) -> None:
        """`timeout_s`: the longest time for an answer. `calls` counts every call; None for no figures."""
        self._stub = pricing_pb2_grpc.PricingServiceStub(channel)
        self._timeout_s = timeout_s
        self._calls = calls or UncountedCalls()

    async def ask(
        self, questions: Sequence[Question], request_ids: Mapping[Question, Sequence[str]] | None = None
    ) -> list[Answer | ServiceError]:
        """An answer, NO_PRICE or PRICING_UNAVAILABLE for each of at most 1,000 questions, in their order.

        `request_ids`: the requests that wait for each answer, so that the price book's log names them.
        Raises ServiceError PRICING_UNAVAILABLE when the price book does not answer at all.
        """
        request = pricing_pb2.BatchResolvePricesRequest(requests=[_to_request(question) for question in questions])
        waiting: set[str] = set()
        for question, asked in zip(questions, request.requests, strict=True):
            ids = (request_ids or {}).get(question, ())
            asked.request_ids.extend(ids)
            waiting.update(ids)
        # A call for one request is that request's; one for several has an id of its own.
        metadata = ((METADATA_KEY, waiting.pop()),) if len(waiting) == 1 else ()
        try:
            # Waiting for the connection, within the time: while it is being made anew, as after a restart of
            # either side, a call would otherwise fail at once.
            response = await self._calls.answer(
                "PricingService/BatchResolvePrices",
                traced_if_sampled(
                    "tukupay.sms.pricing.v1.PricingService/BatchResolvePrices",
                    self._stub.BatchResolvePrices,
                    request,
                    timeout=self._timeout_s,
                    metadata=metadata,
                    wait_for_ready=True,
                ),
            )
        except aio.AioRpcError as error:
            raise _unavailable(error) from error
        return [_to_answer(question, result) for question, result in zip(questions, response.results, strict=True)]


def _to_request(question: Question) -> pricing_pb2.ResolvePriceRequest:
    customer_id, app_id, at = question
    request = pricing_pb2.ResolvePriceRequest(customer_id=customer_id, app_id=app_id)
    if at is not None:
        request.at.CopyFrom(to_timestamp(at))
    return request


def _to_answer(question: Question, result: pricing_pb2.PriceResult) -> Answer | ServiceError:
    if result.WhichOneof("result") == "price":
        resolved = result.price
        cost = resolved.cost
        return Answer(
            _price(cost.price_micros, cost.cost_id, cost.level),
            _instant(resolved.resolved_at),
            _instant(resolved.valid_until) if resolved.HasField("valid_until") else None,
            _instant(resolved.known_at) if resolved.HasField("known_at") else None,
        )
    if result.error.reason != "NO_PRICE":
        return ServiceError(
            Kind.UNAVAILABLE,
            reasons.PRICING_UNAVAILABLE,
            "the price could not be resolved; nothing was stored or charged, try again shortly",
            retry_after=timedelta(seconds=2),
        )
    customer_id, app_id, _ = question
    metadata = {"customer_id": customer_id} | ({"app_id": app_id} if app_id is not None else {})
    return ServiceError(
        Kind.FAILED_PRECONDITION,
        reasons.NO_PRICE,
        "no level of the price book has a price in effect for this account at that time; nothing was stored or "
        "charged, set a DirectCustomer or TukuPay cost that is effective by then",
        metadata=metadata,
    )


@lru_cache(maxsize=4_096)
def _price(micros: int, cost_id: str, level: int) -> Price:
    # Rows never change, and the default ones price most accounts: one amount and one id for all that are remembered.
    return Price(from_micros(micros), cost_id, LEVELS[level])


def _instant(timestamp: Timestamp) -> datetime:
    return _moment(timestamp.seconds, timestamp.nanos)


@lru_cache(maxsize=64)
def _moment(seconds: int, nanos: int) -> datetime:
    # The answers of a call are of one moment.
    return to_datetime(Timestamp(seconds=seconds, nanos=nanos))


def _unavailable(error: aio.AioRpcError) -> ServiceError:
    code: grpc.StatusCode = error.code()
    log.warning("pricing.call_failed", code=code.name)
    return ServiceError(
        Kind.UNAVAILABLE,
        reasons.PRICING_UNAVAILABLE,
        "the pricing service does not answer; nothing was stored or charged, try again shortly with the same "
        "message id",
        retry_after=timedelta(seconds=2),
    )
