"""Prices between generated messages and the domain."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from pricing_service.domain.cost import Cost, CostDraft, draft_cost
from pricing_service.domain.history import HistoryPosition
from pricing_service.domain.price_question import PriceQuestion, ask_price
from pricing_service.domain.tier import Level, Tier, read_tier
from pricing_service.transport.instants import (
    instant_of,
    micros_since_1970,
    read_timestamp,
    to_timestamp,
)
from service_kit import page_token
from service_kit.errors import ServiceError, Violation
from tukupay.sms.pricing.v1 import pricing_pb2

LEVELS: Final = {
    pricing_pb2.COST_LEVEL_TUKUPAY: Level.TUKUPAY,
    pricing_pb2.COST_LEVEL_APP_OWNER: Level.APP_OWNER,
    pricing_pb2.COST_LEVEL_SPECIFIC_CUSTOMER: Level.SPECIFIC_CUSTOMER,
    pricing_pb2.COST_LEVEL_DIRECT_CUSTOMER: Level.DIRECT_CUSTOMER,
}
"""Every level on the wire but the unspecified one, which no request may carry."""
_WIRE_LEVELS: Final = {level: value for value, level in LEVELS.items()}
_MICRO_EXPONENT: Final = -6


def read_draft(request: pricing_pb2.SetCostRequest) -> CostDraft:
    """The price to record; raises ServiceError INVALID with every field at fault."""
    violations: list[Violation] = []
    effective_from: datetime | None = None
    if request.HasField("effective_from"):
        effective_from = read_timestamp("effective_from", request.effective_from, violations)
    return draft_cost(
        level=LEVELS.get(request.level),
        price=Decimal(request.price_micros).scaleb(_MICRO_EXPONENT),
        customer_id=request.customer_id if request.HasField("customer_id") else None,
        app_id=request.app_id if request.HasField("app_id") else None,
        reason=request.reason if request.HasField("reason") else None,
        effective_from=effective_from,
        created_by=request.created_by,
        violations=violations,
    )


def read_named_tier(
    request: pricing_pb2.GetCurrentCostRequest | pricing_pb2.ListCostsRequest, violations: list[Violation]
) -> Tier | None:
    """The tier that a request is about; None, with the violations appended, when it names none."""
    return read_tier(
        LEVELS.get(request.level),
        request.customer_id if request.HasField("customer_id") else None,
        request.app_id if request.HasField("app_id") else None,
        violations,
    )


def read_question(request: pricing_pb2.ResolvePriceRequest) -> PriceQuestion:
    """The question; raises ServiceError INVALID with every field at fault."""
    violations: list[Violation] = []
    at: datetime | None = None
    if request.HasField("at"):
        at = read_timestamp("at", request.at, violations)
    return ask_price(request.customer_id, request.app_id if request.HasField("app_id") else None, at, violations)


def read_position(token: str, tier: Tier, violations: list[Violation]) -> HistoryPosition | None:
    """Where a page begins; None for the first one, or with a violation appended."""
    if not token:
        return None
    try:
        micros, epoch = page_token.decode(token, _history_of(tier), 2)
        # Only a forged token has other types or an impossible instant: the digest in it is no signature.
        return HistoryPosition(instant_of(int(micros)), int(epoch))
    except ServiceError as error:
        violations.extend(error.violations)
    except (ValueError, OverflowError):
        problem = "is not a token that this service made; start again without it"
        violations.append(Violation("page_token", "INVALID_PAGE_TOKEN", problem))
    return None


def to_token(position: HistoryPosition | None, tier: Tier) -> str:
    """The token of a page; empty when there is none."""
    if position is None:
        return ""
    place = (micros_since_1970(position.effective_from), position.epoch)
    return page_token.encode(place, _history_of(tier))


def _history_of(tier: Tier) -> tuple[str, str]:
    return (tier.level.value, tier.entity)


def to_cost(cost: Cost) -> pricing_pb2.Cost:
    """The wire form of a recorded price."""
    return pricing_pb2.Cost(
        cost_id=cost.cost_id,
        level=_WIRE_LEVELS[cost.tier.level],
        price_micros=int(cost.price.scaleb(-_MICRO_EXPONENT)),
        customer_id=cost.tier.customer_id,
        app_id=cost.tier.app_id,
        reason=cost.reason,
        effective_from=to_timestamp(cost.effective_from),
        created_by=cost.created_by,
        recorded_time=to_timestamp(cost.recorded_at),
        revision=cost.revision,
    )
