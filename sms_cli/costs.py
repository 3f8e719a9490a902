"""`tukupay-sms costs`: records and shows prices."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from service_kit.channel import open_channel
from service_kit.settings import Address
from sms_cli.connections import readable_errors
from sms_cli.cost_levels import LEVEL_NAMES
from sms_cli.instants import shown, timestamp
from sms_cli.money import kes, micros
from tukupay.sms.pricing.v1 import pricing_pb2 as pb
from tukupay.sms.pricing.v1 import pricing_pb2_grpc

_TIMEOUT_S = 10.0


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
) -> pb.Cost:
    """Records a price, effective from now unless told otherwise, and gives the row as recorded."""
    request = pb.SetCostRequest(
        level=level,
        price_micros=micros(price),
        customer_id=customer,
        app_id=app,
        reason=reason,
        effective_from=timestamp(effective_from or datetime.now(UTC)),
        created_by=author or getpass.getuser(),
    )
    async with open_channel(pricing) as channel:
        with readable_errors("pricing", pricing):
            answer = await pricing_pb2_grpc.PricingServiceStub(channel).SetCost(request, timeout=_TIMEOUT_S)
    return answer.cost


async def current_cost(
    pricing: Address, level: pb.CostLevel.ValueType, *, customer: str | None, app: str | None
) -> pb.Cost:
    """The row that applies now when asked from a level."""
    request = pb.GetCurrentCostRequest(level=level, customer_id=customer, app_id=app)
    async with open_channel(pricing) as channel:
        with readable_errors("pricing", pricing):
            stub = pricing_pb2_grpc.PricingServiceStub(channel)
            answer = await stub.GetCurrentCost(request, timeout=_TIMEOUT_S)
    return answer.cost


async def cost_history(
    pricing: Address, level: pb.CostLevel.ValueType, *, customer: str | None, app: str | None
) -> Sequence[pb.Cost]:
    """Every recorded row of a level and entity, oldest first."""
    request = pb.ListCostsRequest(level=level, customer_id=customer, app_id=app, page_size=1_000)
    rows: list[pb.Cost] = []
    async with open_channel(pricing) as channel:
        stub = pricing_pb2_grpc.PricingServiceStub(channel)
        with readable_errors("pricing", pricing):
            while True:
                answer = await stub.ListCosts(request, timeout=_TIMEOUT_S)
                rows.extend(answer.costs)
                if not answer.next_page_token:
                    return rows
                request.page_token = answer.next_page_token


def cost_record(cost: pb.Cost) -> dict[str, object]:
    """The row as JSON; the price is text, to stay exact."""
    return {
        "costId": cost.cost_id,
        "level": LEVEL_NAMES[cost.level],
        "customerId": cost.customer_id or None,
        "appId": cost.app_id or None,
        "price": kes(cost.price_micros),
        "currency": "KES",
        "effectiveFrom": shown(cost.effective_from),
        "reason": cost.reason or None,
        "createdBy": cost.created_by,
        "recordedAt": shown(cost.recorded_time),
        "revision": cost.revision,
    }
