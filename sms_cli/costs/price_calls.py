"""Calls of pricing that record and show prices, and prices as JSON."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from service_kit.grpc.timestamps import to_timestamp
from service_kit.settings import Address
from sms_cli.shared.enum_words import enum_word
from sms_cli.shared.kes_amounts import kes, micros
from sms_cli.shared.level_names import LEVEL_NAMES, guard_name
from sms_cli.shared.service_calls import pricing_stub
from sms_cli.shared.terminal_instants import exact
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

_DEADLINE_S = 10.0
_RECORDED_OR_NOT = (
    "the price may or may not have been recorded: `costs history` shows it; repeated with the same --idempotency-key, "
    "if there was one, the command records nothing twice"
)
_WITHDRAWN_OR_NOT = "the price may or may not have been taken back: repeat the command, which does nothing twice"


async def record_cost(
    pricing: Address,
    level: pb.CostLevel.ValueType,
    price: Decimal,
    *,
    customer: str | None,
    app: str | None,
    reason: str | None,
    effective_from: datetime | None,
    author: str | None,
    allow_free: bool = False,
    override_guards: bool = False,
    idempotency_key: str | None = None,
) -> pb.SetCostResponse:
    """Records a price, effective now when `effective_from` is None, and gives the row as recorded."""
    request = pb.SetCostRequest(
        level=level,
        price_micros=micros(price),
        customer_id=customer,
        app_id=app,
        reason=reason,
        effective_from=to_timestamp(effective_from or datetime.now(UTC)),
        created_by=author or getpass.getuser(),
        allow_free=allow_free,
        override_guards=override_guards,
        idempotency_key=idempotency_key,
    )
    async with pricing_stub(pricing, deadline_s=_DEADLINE_S, open_end=_RECORDED_OR_NOT) as stub:
        return await stub.SetCost(request)


async def withdraw_cost(pricing: Address, cost_id: str, *, author: str | None, reason: str) -> pb.Cost:
    """Withdraws a row that has not taken effect, and gives it as withdrawn."""
    request = pb.WithdrawCostRequest(cost_id=cost_id, withdrawn_by=author or getpass.getuser(), reason=reason)
    async with pricing_stub(pricing, deadline_s=_DEADLINE_S, open_end=_WITHDRAWN_OR_NOT) as stub:
        answer = await stub.WithdrawCost(request)
    return answer.cost


async def explained_price(
    pricing: Address, customer: str, *, app: str | None, at: datetime | None, known_at: datetime | None
) -> pb.ResolvePriceResponse:
    """The price of a unit for a customer, with every row that was considered."""
    request = pb.ResolvePriceRequest(
        customer_id=customer,
        app_id=app,
        at=to_timestamp(at) if at else None,
        known_at=to_timestamp(known_at) if known_at else None,
        explain=True,
    )
    async with pricing_stub(pricing, deadline_s=_DEADLINE_S) as stub:
        return await stub.ResolvePrice(request)


async def current_cost(
    pricing: Address, level: pb.CostLevel.ValueType, *, customer: str | None, app: str | None
) -> pb.Cost:
    """The row that applies now when asked from a level."""
    request = pb.GetCurrentCostRequest(level=level, customer_id=customer, app_id=app)
    async with pricing_stub(pricing, deadline_s=_DEADLINE_S) as stub:
        answer = await stub.GetCurrentCost(request)
    return answer.cost


async def cost_history(
    pricing: Address, level: pb.CostLevel.ValueType, *, customer: str | None, app: str | None
) -> Sequence[pb.Cost]:
    """Every recorded row of a level and entity, oldest first."""
    request = pb.ListCostsRequest(level=level, customer_id=customer, app_id=app, page_size=1_000)
    rows: list[pb.Cost] = []
    async with pricing_stub(pricing, deadline_s=_DEADLINE_S) as stub:
        while True:
            answer = await stub.ListCosts(request)
            rows.extend(answer.costs)
            if not answer.next_page_token:
                return rows
            request.page_token = answer.next_page_token


def tier_of(cost: pb.Cost) -> str:
    """The level of a row, and whose price it is there."""
    return f"{LEVEL_NAMES[cost.level]} {cost.customer_id or cost.app_id}".strip()


def cost_record(cost: pb.Cost) -> dict[str, object]:
    """The row as JSON; the price is text, to stay exact."""
    taken = cost.withdrawal if cost.HasField("withdrawal") else None
    return {
        "costId": cost.cost_id,
        "level": LEVEL_NAMES[cost.level],
        "customerId": cost.customer_id or None,
        "appId": cost.app_id or None,
        "price": kes(cost.price_micros),
        "currency": "KES",
        "effectiveFrom": exact(cost.effective_from),
        "reason": cost.reason or None,
        "createdBy": cost.created_by,
        "recordedAt": exact(cost.recorded_time),
        "revision": cost.revision,
        "overriddenGuards": ", ".join(guard_name(guard) for guard in cost.overridden_guards) or None,
        "withdrawnAt": exact(taken.withdrawn_time) if taken else None,
        "withdrawnBy": taken.withdrawn_by if taken else None,
        "withdrawalReason": taken.reason if taken else None,
    }


def explanation_record(answer: pb.ResolvePriceResponse) -> dict[str, object]:
    """The answer as JSON, candidates in the order in which they were considered."""
    return {
        "price": kes(answer.cost.price_micros),
        "currency": "KES",
        "resolvedAt": exact(answer.resolved_at),
        "validUntil": exact(answer.valid_until) if answer.HasField("valid_until") else None,
        "knownAt": exact(answer.known_at) if answer.HasField("known_at") else None,
        "cost": cost_record(answer.cost),
        "candidates": [
            {
                "verdict": enum_word(pb.CandidateVerdict, candidate.verdict),
                "explanation": candidate.explanation,
                "cost": cost_record(candidate.cost),
            }
            for candidate in answer.candidates
        ],
    }
