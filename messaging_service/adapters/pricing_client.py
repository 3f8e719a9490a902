"""Asks pricing_service what a unit costs; concurrent questions travel in one call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import grpc
import structlog
from grpc import aio

from messaging_service.domain.money import Price, PriceLevel, from_micros
from messaging_service.use_cases.group_commit import GroupCommit
from service_kit.errors import Kind, ServiceError
from tukupay.sms.pricing.v1 import pricing_pb2, pricing_pb2_grpc

LEVELS: dict[int, PriceLevel] = {
    pricing_pb2.COST_LEVEL_TUKUPAY: PriceLevel.TUKUPAY,
    pricing_pb2.COST_LEVEL_APP_OWNER: PriceLevel.APP_OWNER,
    pricing_pb2.COST_LEVEL_SPECIFIC_CUSTOMER: PriceLevel.SPECIFIC_CUSTOMER,
    pricing_pb2.COST_LEVEL_DIRECT_CUSTOMER: PriceLevel.DIRECT_CUSTOMER,
}

Question = tuple[str, str | None, datetime | None]

log = structlog.get_logger()


class PricingClient:
    """Implements the port Prices over gRPC.

    Nothing is remembered between calls: each message is priced by the book as it stands, and when the book
    does not answer, the message is not sent.
    """

    def __init__(self, channel: aio.Channel, *, timeout_s: float, max_batch: int = 1_000) -> None:
        self._stub = pricing_pb2_grpc.PricingServiceStub(channel)
        self._timeout_s = timeout_s
        self._questions: GroupCommit[Question, Price] = GroupCommit(
            "prices", self._ask, max_batch=max_batch, max_waiting=20_000
        )

    async def price_of(self, customer_id: str, app_id: str | None, at: datetime | None) -> Price:
        """See Prices.price_of."""
        return await self._questions.submit((customer_id, app_id, at))

    async def _ask(self, questions: Sequence[Question]) -> Sequence[Price | ServiceError]:
        distinct = list(dict.fromkeys(questions))
        request = pricing_pb2.BatchResolvePricesRequest(requests=[_to_request(question) for question in distinct])
        try:
            response = await self._stub.BatchResolvePrices(request, timeout=self._timeout_s)
        except aio.AioRpcError as error:
            raise _unavailable(error) from error
        answers = {
            question: _to_price(question, result) for question, result in zip(distinct, response.results, strict=True)
        }
        return [answers[question] for question in questions]


def _to_request(question: Question) -> pricing_pb2.ResolvePriceRequest:
    customer_id, app_id, at = question
    request = pricing_pb2.ResolvePriceRequest(customer_id=customer_id, app_id=app_id)
    if at is not None:
        request.at.FromDatetime(at)
    return request


def _to_price(question: Question, result: pricing_pb2.PriceResult) -> Price | ServiceError:
    if result.WhichOneof("result") == "price":
        cost = result.price.cost
        return Price(from_micros(cost.price_micros), cost.cost_id, LEVELS[cost.level])
    if result.failure.reason != "NO_PRICE":
        return ServiceError(
            Kind.UNAVAILABLE,
            "PRICING_UNAVAILABLE",
            "the price could not be resolved; nothing was stored or charged, try again shortly",
            retry_after=timedelta(seconds=2),
        )
    customer_id, app_id, _ = question
    metadata = {"customer_id": customer_id} | ({"app_id": app_id} if app_id is not None else {})
    return ServiceError(
        Kind.FAILED_PRECONDITION,
        "NO_PRICE",
        "no level of the price book has a price in effect for this account at that time; nothing was stored or "
        "charged, set a DirectCustomer or TukuPay cost that is effective by then",
        metadata=metadata,
    )


def _unavailable(error: aio.AioRpcError) -> ServiceError:
    code: grpc.StatusCode = error.code()
    log.warning("pricing.call_failed", code=code.name)
    return ServiceError(
        Kind.UNAVAILABLE,
        "PRICING_UNAVAILABLE",
        "the pricing service does not answer; nothing was stored or charged, try again shortly with the same "
        "message_id",
        retry_after=timedelta(seconds=2),
    )
