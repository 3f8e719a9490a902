"""ResolvePrice as it is mostly asked: for now, answered from memory, in bytes that were written before.

This is the call that every send makes, so it is spared what others can afford: the row of an answer is serialized
once, when it goes into the book, and an answer is that, two instants, and which book it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from pricing_service.domain.cost import Cost
from pricing_service.domain.edition import Edition
from pricing_service.domain.instants import instant_of
from pricing_service.domain.price_question import no_price_for_send
from pricing_service.transport.cost_messages import read_question, to_cost, to_known, to_price
from pricing_service.transport.servicer import SERVICE_NAME, PricingServicer
from pricing_service.use_cases.price_book import PriceBook
from pricing_service.use_cases.resolve_now import ResolveNow
from service_kit.access.caller import caller
from service_kit.access.refusals import app_of
from service_kit.grpc.context import Context
from service_kit.grpc.timestamps import to_timestamp
from service_kit.identifiers import MAX_IDENTIFIER
from tukupay.sms.pricing.v1 import pricing_pb2

ResolvePriceInBytes = Callable[[pricing_pb2.ResolvePriceRequest, Context], Awaitable[bytes]]


_LENGTH_DELIMITED: Final = 2
_RESOLVED_AT: Final = pricing_pb2.ResolvePriceResponse.RESOLVED_AT_FIELD_NUMBER << 3 | _LENGTH_DELIMITED
_NANOS: Final = Timestamp.NANOS_FIELD_NUMBER << 3


def render(cost: Cost) -> bytes:
    """The part of a ResolvePriceResponse that is the row; parts put together are a whole."""
    return pricing_pb2.ResolvePriceResponse(cost=to_cost(cost)).SerializeToString()


def resolve_price_handler(
    book: PriceBook[bytes], resolve_now: ResolveNow, others: PricingServicer
) -> grpc.GenericRpcHandler:
    """Answers ResolvePrice; register it before the servicer, which answers the questions with an instant."""
    method: grpc.RpcMethodHandler[pricing_pb2.ResolvePriceRequest, bytes] = grpc.unary_unary_rpc_method_handler(
        _resolve_price(book, resolve_now, others),
        request_deserializer=pricing_pb2.ResolvePriceRequest.FromString,
        response_serializer=None,
    )
    return grpc.method_handlers_generic_handler(SERVICE_NAME, {"ResolvePrice": method})


def _resolve_price(book: PriceBook[bytes], resolve_now: ResolveNow, others: PricingServicer) -> ResolvePriceInBytes:
    async def resolve_price(request: pricing_pb2.ResolvePriceRequest, context: Context) -> bytes:
        app_id = app_of(caller(), request.app_id if request.HasField("app_id") else None)
        if app_id is not None:
            # The questions read below are the caller's, with the app of its credential.
            request.app_id = app_id
        if request.explain or request.HasField("at") or request.HasField("known_at"):
            return (await others.ResolvePrice(request, context)).SerializeToString()
        if app_id is not None and not _surely_valid(app_id):
            # The book looks no further than the customer's own price, and would not notice.
            read_question(request)
        price = book.price_now(request.customer_id, app_id)
        if price is None:
            return to_price(await resolve_now(read_question(request))).SerializeToString()
        if price.rendered is None:
            raise no_price_for_send(read_question(request))
        answer = price.rendered + _resolved_at(price.resolved_at_us)
        if price.edition is not None:
            answer += _known(price.edition)
        return answer if price.valid_until_us is None else answer + _valid_until(price.valid_until_us)

    return resolve_price


def _surely_valid(identifier: str) -> bool:
    return 0 < len(identifier) <= MAX_IDENTIFIER and identifier.isprintable() and not identifier.isspace()


def _resolved_at(micros: int) -> bytes:
    """The part of a ResolvePriceResponse that is its instant, which is another one each time."""
    second, micro = divmod(micros, 1_000_000)
    seconds = _seconds(second)
    nanos = micro * 1_000
    # A varint of always five bytes: nothing to measure, and readers take what is longer than it need be.
    return seconds + bytes(
        (
            _NANOS,
            nanos & 127 | 128,
            nanos >> 7 & 127 | 128,
            nanos >> 14 & 127 | 128,
            nanos >> 21 & 127 | 128,
            nanos >> 28,
        )
    )


@lru_cache(maxsize=16)
def _seconds(second: int) -> bytes:
    """The beginning of that part: its field, its length with the nanos, and the seconds."""
    seconds = Timestamp(seconds=second).SerializeToString()
    return bytes((_RESOLVED_AT, len(seconds) + 6)) + seconds


@lru_cache(maxsize=4)
def _known(edition: Edition) -> bytes:
    return to_known(edition).SerializeToString()


@lru_cache(maxsize=4_096)
def _valid_until(micros: int) -> bytes:
    # Price lists take effect together, so few instants serve many customers.
    instant = to_timestamp(instant_of(micros))
    return pricing_pb2.ResolvePriceResponse(valid_until=instant).SerializeToString()
