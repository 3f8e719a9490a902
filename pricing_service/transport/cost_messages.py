"""Prices between generated messages and the domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from pricing_service.domain import reasons
from pricing_service.domain.cost import Cost, CostDraft, check_effective_from, check_price, draft_cost
from pricing_service.domain.edition import Edition
from pricing_service.domain.explanation import Verdict
from pricing_service.domain.history import HistoryPosition
from pricing_service.domain.importing import Effect
from pricing_service.domain.instants import instant_of, micros_since_1970
from pricing_service.domain.price_guards import Guard
from pricing_service.domain.price_question import PriceQuestion, ask_price
from pricing_service.domain.resolution import DraftPrice
from pricing_service.domain.tier import Level, Tier, read_tier
from pricing_service.transport.wire_instants import read_timestamp
from pricing_service.use_cases.import_costs import ImportedRow
from pricing_service.use_cases.resolve_prices import ResolvedPrice
from service_kit import page_token
from service_kit.errors import ServiceError, Violation
from service_kit.grpc.timestamps import to_timestamp
from tukupay.sms.pricing.v1 import pricing_pb2

GUARDS: Mapping[Guard, pricing_pb2.PriceGuard.ValueType] = {
    Guard.ABOVE_CEILING: pricing_pb2.PRICE_GUARD_ABOVE_CEILING,
    Guard.RELATIVE_CHANGE: pricing_pb2.PRICE_GUARD_RELATIVE_CHANGE,
    Guard.FAR_PAST: pricing_pb2.PRICE_GUARD_FAR_PAST,
    Guard.FAR_FUTURE: pricing_pb2.PRICE_GUARD_FAR_FUTURE,
}
LEVELS: Final = {
    pricing_pb2.COST_LEVEL_TUKUPAY: Level.TUKUPAY,
    pricing_pb2.COST_LEVEL_APP_OWNER: Level.APP_OWNER,
    pricing_pb2.COST_LEVEL_SPECIFIC_CUSTOMER: Level.SPECIFIC_CUSTOMER,
    pricing_pb2.COST_LEVEL_DIRECT_CUSTOMER: Level.DIRECT_CUSTOMER,
}
"""Every level on the wire but the unspecified one, which no request may carry."""
_WIRE_LEVELS: Final = {level: value for value, level in LEVELS.items()}
VERDICTS: Final = {
    Verdict.WON: pricing_pb2.CANDIDATE_VERDICT_WON,
    Verdict.WEAKER_LEVEL: pricing_pb2.CANDIDATE_VERDICT_WEAKER_LEVEL,
    Verdict.SUPERSEDED: pricing_pb2.CANDIDATE_VERDICT_SUPERSEDED,
    Verdict.REVISED: pricing_pb2.CANDIDATE_VERDICT_REVISED,
    Verdict.NOT_YET_EFFECTIVE: pricing_pb2.CANDIDATE_VERDICT_NOT_YET_EFFECTIVE,
    Verdict.WITHDRAWN: pricing_pb2.CANDIDATE_VERDICT_WITHDRAWN,
}
_WIRE_EFFECTS: Final = {
    Effect.NEW: pricing_pb2.IMPORT_EFFECT_NEW,
    Effect.CHANGED: pricing_pb2.IMPORT_EFFECT_CHANGED,
    Effect.UNCHANGED: pricing_pb2.IMPORT_EFFECT_UNCHANGED,
}
_MICRO_EXPONENT: Final = -6


def read_draft(request: pricing_pb2.SetCostRequest, violations: list[Violation]) -> CostDraft:
    """The price to record; raises ServiceError INVALID with every field at fault, those given included."""
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
        allow_free=request.allow_free,
        override_guards=request.override_guards,
        violations=violations,
    )


def read_draft_price(place: int, draft: pricing_pb2.DraftCost, violations: list[Violation]) -> DraftPrice | None:
    """A price to try out; None, with the violations appended under the draft's place, when it is at fault."""
    found: list[Violation] = []
    tier = read_tier(
        LEVELS.get(draft.level),
        draft.customer_id if draft.HasField("customer_id") else None,
        draft.app_id if draft.HasField("app_id") else None,
        found,
    )
    price = Decimal(draft.price_micros).scaleb(_MICRO_EXPONENT)
    check_price(price, found, allow_free=True)
    effective_from: datetime | None = None
    if draft.HasField("effective_from"):
        effective_from = read_timestamp("effective_from", draft.effective_from, found)
    check_effective_from(effective_from, found)
    violations += [replace(each, field=f"drafts[{place}].{each.field}") for each in found]
    if tier is None or effective_from is None or found:
        return None
    return DraftPrice(place, tier, price, effective_from)


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
    known_at: datetime | None = None
    if request.HasField("known_at"):
        known_at = read_timestamp("known_at", request.known_at, violations)
    app_id = request.app_id if request.HasField("app_id") else None
    return ask_price(request.customer_id, app_id, at, known_at, violations)


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
        violations.append(Violation("page_token", reasons.INVALID_PAGE_TOKEN, problem))
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
    """The wire form of a price; one that was never recorded has no recording time."""
    message = pricing_pb2.Cost(
        cost_id=cost.cost_id,
        level=_WIRE_LEVELS[cost.tier.level],
        price_micros=_micros(cost.price),
        customer_id=cost.tier.customer_id,
        app_id=cost.tier.app_id,
        reason=cost.reason,
        effective_from=to_timestamp(cost.effective_from),
        created_by=cost.created_by,
        recorded_time=to_timestamp(cost.recorded_at) if cost.epoch else None,
        revision=cost.revision,
        overridden_guards=_guards(cost.overridden_guards),
    )
    if cost.withdrawal is not None:
        message.withdrawal.withdrawn_time.CopyFrom(to_timestamp(cost.withdrawal.withdrawn_at))
        message.withdrawal.withdrawn_by = cost.withdrawal.withdrawn_by
        message.withdrawal.reason = cost.withdrawal.reason
    return message


def to_imported(row: ImportedRow) -> pricing_pb2.ImportedCost:
    """The wire form of what became of an imported row."""
    previous = None if row.previous is None else _micros(row.previous)
    cost = to_cost(row.cost) if row.cost else _unrecorded(row.draft, row.overridden_guards)
    return pricing_pb2.ImportedCost(cost=cost, previous_price_micros=previous, effect=_WIRE_EFFECTS[row.effect])


def _guards(names: Iterable[str]) -> list[pricing_pb2.PriceGuard.ValueType]:
    return [GUARDS[Guard(name)] for name in names]


def _unrecorded(draft: CostDraft, overridden_guards: Sequence[str]) -> pricing_pb2.Cost:
    return pricing_pb2.Cost(
        level=_WIRE_LEVELS[draft.tier.level],
        price_micros=_micros(draft.price),
        customer_id=draft.tier.customer_id,
        app_id=draft.tier.app_id,
        reason=draft.reason,
        effective_from=to_timestamp(draft.effective_from),
        created_by=draft.created_by,
        overridden_guards=_guards(overridden_guards),
    )


def to_price(price: ResolvedPrice) -> pricing_pb2.ResolvePriceResponse:
    """The wire form of an answer."""
    message = pricing_pb2.ResolvePriceResponse(
        cost=to_cost(price.cost),
        resolved_at=to_timestamp(price.resolved_at),
        candidates=[
            pricing_pb2.PriceCandidate(
                cost=to_cost(candidate.cost),
                verdict=VERDICTS[candidate.verdict],
                explanation=candidate.explanation,
            )
            for candidate in price.candidates
        ],
        valid_until=to_timestamp(price.valid_until) if price.valid_until else None,
    )
    message.MergeFrom(to_known(price.edition, price.known_at))
    return message


def to_known(edition: Edition, known_at: datetime | None = None) -> pricing_pb2.ResolvePriceResponse:
    """The part of an answer that says what was known; None where the question did not limit that."""
    instant = edition.changed_at if known_at is None else known_at
    return pricing_pb2.ResolvePriceResponse(
        epoch=edition.epoch, known_at=None if instant is None else to_timestamp(instant)
    )


def _micros(price: Decimal) -> int:
    return int(price.scaleb(-_MICRO_EXPONENT))
