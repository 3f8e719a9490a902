"""Prices as REST shows them, field for field."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from gateway_http.instants import instant, timestamp
from gateway_http.money import micros, number
from gateway_http.problem import invalid_fields
from service_kit.errors import Violation
from tukupay.sms.pricing.v1 import pricing_pb2

Level = Literal["TukuPay", "AppOwner", "SpecificCustomer", "DirectCustomer"]

LEVELS: dict[Level, pricing_pb2.CostLevel.ValueType] = {
    "TukuPay": pricing_pb2.COST_LEVEL_TUKUPAY,
    "AppOwner": pricing_pb2.COST_LEVEL_APP_OWNER,
    "SpecificCustomer": pricing_pb2.COST_LEVEL_SPECIFIC_CUSTOMER,
    "DirectCustomer": pricing_pb2.COST_LEVEL_DIRECT_CUSTOMER,
}
_LEVEL_NAMES: dict[int, Level] = {value: name for name, value in LEVELS.items()}

_LevelField = Annotated[Level, Meta(description="The tier of the cost.")]
_Price = Annotated[
    Raw,
    Meta(
        description="Price of one SMS unit in KES, exact, with at least one decimal place.",
        extra_json_schema={"type": "number", "examples": [0.7]},
    ),
]
_CostId = Annotated[str, Meta(description="Unique identifier of the row.")]
_CustomerId = Annotated[str | UnsetType, Meta(description="The customer, for SpecificCustomer only.")]
_AppId = Annotated[str | UnsetType, Meta(description="The app, for AppOwner only.")]
_Reason = Annotated[str | UnsetType, Meta(description="Why, when a reason was given.")]
_EffectiveFrom = Annotated[datetime, Meta(tz=True, description="First instant at which the price applies, in UTC.")]
_CreatedBy = Annotated[str, Meta(description="Who set the price.")]


class NewCost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A price to record. `null` for an optional field is the same as leaving it out."""

    level: Annotated[
        Level,
        Meta(
            description="TukuPay: the system-wide default. AppOwner: an app that resells. SpecificCustomer: one "
            "customer. DirectCustomer: customers without a price of their own."
        ),
    ]
    price_per_sms: Annotated[
        Raw,
        Meta(
            description="Price of one SMS unit in KES: above 0, at most 1,000,000, at most 6 decimal places.",
            extra_json_schema={
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 1_000_000,
                "examples": [0.7],
            },
        ),
    ]
    customer_id: Annotated[
        str | None,
        Meta(
            description="Required for SpecificCustomer, refused for other levels.",
            extra_json_schema={"minLength": 1, "maxLength": 64},
        ),
    ] = None
    app_id: Annotated[
        str | None,
        Meta(
            description="Required for AppOwner, refused for other levels.",
            extra_json_schema={"minLength": 1, "maxLength": 64},
        ),
    ] = None
    reason: Annotated[
        str | None,
        Meta(
            description="Why; required for TukuPay and SpecificCustomer.",
            extra_json_schema={"minLength": 1, "maxLength": 500},
        ),
    ] = None
    effective_from: Annotated[
        str,
        Meta(
            description="First instant at which the price applies, with its offset; may lie in the past. Kept to "
            "the microsecond.",
            extra_json_schema={"format": "date-time", "examples": ["2024-12-13T00:00:00Z"]},
        ),
    ]
    created_by: Annotated[
        str,
        Meta(description="Who sets the price.", extra_json_schema={"minLength": 1, "maxLength": 64}),
    ]

    def to_request(self) -> pricing_pb2.SetCostRequest:
        """The call that records it; raises ProblemError when the price or the time cannot be read."""
        price = micros(bytes(self.price_per_sms), "pricePerSms")
        effective_from = timestamp(self.effective_from, "effectiveFrom")
        if isinstance(price, Violation) or isinstance(effective_from, Violation):
            raise invalid_fields([v for v in (price, effective_from) if isinstance(v, Violation)])
        return pricing_pb2.SetCostRequest(
            level=LEVELS[self.level],
            price_micros=price,
            customer_id=self.customer_id,
            app_id=self.app_id,
            reason=self.reason,
            effective_from=effective_from,
            created_by=self.created_by,
        )


class CurrentCost(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The price that applies now, with the level at which it was found."""

    level: _LevelField
    price_per_sms: _Price
    customer_id: _CustomerId = UNSET
    app_id: _AppId = UNSET
    effective_from: _EffectiveFrom

    @classmethod
    def of(cls, cost: pricing_pb2.Cost) -> CurrentCost:
        """The row of the pricing service as this route shows it."""
        return cls(
            level=_LEVEL_NAMES[cost.level],
            price_per_sms=number(cost.price_micros),
            customer_id=cost.customer_id if cost.HasField("customer_id") else UNSET,
            app_id=cost.app_id if cost.HasField("app_id") else UNSET,
            effective_from=instant(cost.effective_from),
        )


class CostHistoryRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One recorded price."""

    cost_id: _CostId
    level: _LevelField
    price_per_sms: _Price
    customer_id: _CustomerId = UNSET
    app_id: _AppId = UNSET
    effective_from: _EffectiveFrom
    created_by: _CreatedBy

    @classmethod
    def of(cls, cost: pricing_pb2.Cost) -> CostHistoryRow:
        """The row of the pricing service as this route shows it."""
        return cls(
            cost_id=cost.cost_id,
            level=_LEVEL_NAMES[cost.level],
            price_per_sms=number(cost.price_micros),
            customer_id=cost.customer_id if cost.HasField("customer_id") else UNSET,
            app_id=cost.app_id if cost.HasField("app_id") else UNSET,
            effective_from=instant(cost.effective_from),
            created_by=cost.created_by,
        )


class RecordedCost(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A price as it was recorded just now."""

    cost_id: _CostId
    level: _LevelField
    price_per_sms: _Price
    customer_id: _CustomerId = UNSET
    app_id: _AppId = UNSET
    reason: _Reason = UNSET
    effective_from: _EffectiveFrom
    created_by: _CreatedBy
    recorded_at: Annotated[datetime, Meta(tz=True, description="When the row was recorded, in UTC.")]
    revision: Annotated[
        int,
        Meta(ge=1, description="1 for the first row of a level, entity and effectiveFrom; the highest counts."),
    ]

    @classmethod
    def of(cls, cost: pricing_pb2.Cost) -> RecordedCost:
        """The row of the pricing service as this route shows it."""
        return cls(
            cost_id=cost.cost_id,
            level=_LEVEL_NAMES[cost.level],
            price_per_sms=number(cost.price_micros),
            customer_id=cost.customer_id if cost.HasField("customer_id") else UNSET,
            app_id=cost.app_id if cost.HasField("app_id") else UNSET,
            reason=cost.reason if cost.HasField("reason") else UNSET,
            effective_from=instant(cost.effective_from),
            created_by=cost.created_by,
            recorded_at=instant(cost.recorded_time),
            revision=cost.revision,
        )
