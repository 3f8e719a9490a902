"""Example prices for a new local system, so that the documented send costs what the document says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from service_kit.grpc.timestamps import to_timestamp
from service_kit.settings import Address
from sms_cli.shared.kes_amounts import micros
from sms_cli.shared.level_names import LEVEL_NAMES
from sms_cli.shared.service_calls import pricing_stub
from tukupay.sms.pricing.v1 import pricing_pb2 as pb
from tukupay.sms.pricing.v1 import pricing_pb2_grpc

AUTHOR = "tukupay-sms up"
_EFFECTIVE_FROM = datetime(2024, 1, 1, tzinfo=UTC)
_DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class _Example:
    level: pb.CostLevel.ValueType
    price: Decimal
    reason: str
    customer: str | None = None


EXAMPLES: Sequence[_Example] = (
    _Example(pb.COST_LEVEL_DIRECT_CUSTOMER, Decimal("0.8"), "Example: price of customers without their own"),
    _Example(pb.COST_LEVEL_SPECIFIC_CUSTOMER, Decimal("0.7"), "Example: negotiated price", "cust123"),
    _Example(pb.COST_LEVEL_SPECIFIC_CUSTOMER, Decimal("0.6"), "Example: negotiated price", "user123"),
    _Example(pb.COST_LEVEL_TUKUPAY, Decimal("1.0"), "Example: internal default, the last fallback"),
)


async def seed_example_costs(pricing: Address) -> Sequence[str]:
    """Records the examples in an empty price book, and completes a seeding that was interrupted.

    A price book that holds anything else is left alone. Gives one line for a person when it recorded something. Raises
    CommandError when pricing does not answer.
    """
    async with pricing_stub(pricing, deadline_s=_DEADLINE_S) as stub:
        present = await _present_rows(stub)
        if any(row.created_by != AUTHOR for row in present):
            return ()
        known = {(row.level, row.customer_id) for row in present}
        missing = [each for each in EXAMPLES if (each.level, each.customer or "") not in known]
        for example in missing:
            await stub.SetCost(_request(example))
    return (_summary(missing),) if missing else ()


async def _present_rows(stub: pricing_pb2_grpc.PricingServiceAsyncStub) -> list[pb.Cost]:
    rows: list[pb.Cost] = []
    for example in EXAMPLES:
        request = pb.ListCostsRequest(level=example.level, customer_id=example.customer)
        rows.extend((await stub.ListCosts(request)).costs)
    return rows


def _request(example: _Example) -> pb.SetCostRequest:
    return pb.SetCostRequest(
        level=example.level,
        price_micros=micros(example.price),
        customer_id=example.customer,
        reason=example.reason,
        created_by=AUTHOR,
        effective_from=to_timestamp(_EFFECTIVE_FROM),
    )


def _summary(examples: Sequence[_Example]) -> str:
    shown = [" ".join(filter(None, (LEVEL_NAMES[each.level], each.customer, str(each.price)))) for each in examples]
    return f"example prices in KES: {', '.join(shown)}"
