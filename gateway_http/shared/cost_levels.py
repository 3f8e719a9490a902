"""The levels at which prices are set, as REST names them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tukupay.sms.pricing.v1 import pricing_pb2

Level = Literal["TukuPay", "AppOwner", "SpecificCustomer", "DirectCustomer"]

LEVELS: dict[Level, pricing_pb2.CostLevel.ValueType] = {
    "TukuPay": pricing_pb2.COST_LEVEL_TUKUPAY,
    "AppOwner": pricing_pb2.COST_LEVEL_APP_OWNER,
    "SpecificCustomer": pricing_pb2.COST_LEVEL_SPECIFIC_CUSTOMER,
    "DirectCustomer": pricing_pb2.COST_LEVEL_DIRECT_CUSTOMER,
}
LEVEL_NAMES: dict[int, Level] = {value: name for name, value in LEVELS.items()}

LevelName = Annotated[Level, Meta(description="The tier of the cost.")]
