"""Prices as REST shows them, field for field."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from gateway_http.shared.cost_levels import LEVEL_NAMES, LEVELS, Level, LevelName
from gateway_http.shared.problem import invalid_fields
from gateway_http.shared.rest_instants import instant, timestamp
from gateway_http.shared.rest_money import micros, number
from service_kit.errors import Violation
from tukupay.sms.pricing.v1 import pricing_pb2

Price = Annotated[
    Raw,
    Meta(
        description="Price of one SMS unit in KES, exact, with at least one decimal place.",
        extra_json_schema={"type": "number", "examples": [0.7]},
    ),
]
CostId = Annotated[str, Meta(description="Unique identifier of the row.")]
CustomerId = Annotated[str | UnsetType, Meta(description="The customer, for SpecificCustomer only.")]
AppId = Annotated[str | UnsetType, Meta(description="The app, for AppOwner only.")]
Reason = Annotated[str | UnsetType, Meta(description="Why, when a reason was given.")]
EffectiveFrom = Annotated[datetime, Meta(tz=True, description="First instant at which the price applies, in UTC.")]
CreatedBy = Annotated[str, Meta(description="Who set the price.")]


def guard_name(guard: pricing_pb2.PriceGuard.ValueType) -> str:
    """The guard as REST names it, for instance `FAR_PAST`."""
    return pricing_pb2.PriceGuard.Name(guard).removeprefix("PRICE_GUARD_")


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
            description="Price of one SMS unit in KES: above 0 (or 0 with `allowFree`), at most 1,000,000, at most 6 "
            "decimal places.",
            extra_json_schema={
                "type": "number",
                "minimum": 0,
                "maximum": 1_000_000,
                "examples": [0.7],
            },
        ),
    ]
    customer_id: Annotated[
        str | None,
        Meta(
            description="Required for SpecificCustomer, refused for other levels. Characters that can be seen, "
            "without a space at either end.",
            extra_json_schema={"minLength": 1, "maxLength": 64},
        ),
    ] = None
    app_id: Annotated[
        str | None,
        Meta(
            description="Required for AppOwner, refused for other levels. Written as `customerId`.",
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
            description="First instant at which the price applies, with its offset, within the years 2000 to 2100; "
            "may lie in the past. Kept to the microsecond.",
            extra_json_schema={"format": "date-time", "examples": ["2024-12-13T00:00:00Z"]},
        ),
    ]
    created_by: Annotated[
        str,
        Meta(
            description="Who sets the price, written as `customerId`.",
            extra_json_schema={"minLength": 1, "maxLength": 64},
        ),
    ]
    allow_free: Annotated[bool | None, Meta(description="`true` to record a price of 0.")] = None
    override_guards: Annotated[
        bool | None,
        Meta(
            description="`true` to record a price or a date that is unusual for the level (`PRICE_GUARD`); the row "
            "then says which guards were overridden."
        ),
    ] = None

    def to_request(self, idempotency_key: str | None = None) -> pricing_pb2.SetCostRequest:
        """The call that records it, under a key; raises ProblemError when the price or the time cannot be read."""
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
            allow_free=bool(self.allow_free),
            override_guards=bool(self.override_guards),
            idempotency_key=idempotency_key,
        )


class NewWithdrawal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Takes back a price before it takes effect."""

    withdrawn_by: Annotated[
        str,
        Meta(
            description="Who takes it back, written as `createdBy`.",
            extra_json_schema={"minLength": 1, "maxLength": 64},
        ),
    ]
    reason: Annotated[str, Meta(description="Why.", extra_json_schema={"minLength": 1, "maxLength": 500})]

    def to_request(self, cost_id: str) -> pricing_pb2.WithdrawCostRequest:
        """The call that takes a row back."""
        return pricing_pb2.WithdrawCostRequest(cost_id=cost_id, withdrawn_by=self.withdrawn_by, reason=self.reason)


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a price was taken back before it took effect."""

    withdrawn_at: Annotated[datetime, Meta(tz=True, description="When, in UTC.")]
    withdrawn_by: Annotated[str, Meta(description="Who took it back.")]
    reason: Annotated[str, Meta(description="Why.")]

    @classmethod
    def of(cls, cost: pricing_pb2.Cost) -> Withdrawal | UnsetType:
        """The withdrawal of a row; UNSET when it was not withdrawn."""
        if not cost.HasField("withdrawal"):
            return UNSET
        taken = cost.withdrawal
        return cls(withdrawn_at=instant(taken.withdrawn_time), withdrawn_by=taken.withdrawn_by, reason=taken.reason)


WithdrawalField = Annotated[
    Withdrawal | UnsetType,
    Meta(description="How it was taken back before it took effect; only on such rows, which no longer count."),
]


class CurrentCost(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The price that applies now, with the level at which it was found."""

    level: LevelName
    price_per_sms: Price
    customer_id: CustomerId = UNSET
    app_id: AppId = UNSET
    effective_from: EffectiveFrom

    @classmethod
    def of(cls, cost: pricing_pb2.Cost) -> CurrentCost:
        """The row of the pricing service as this route shows it."""
        return cls(
            level=LEVEL_NAMES[cost.level],
            price_per_sms=number(cost.price_micros),
            customer_id=cost.customer_id if cost.HasField("customer_id") else UNSET,
            app_id=cost.app_id if cost.HasField("app_id") else UNSET,
            effective_from=instant(cost.effective_from),
        )


class CostHistoryRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One recorded price."""

    cost_id: CostId
    level: LevelName
    price_per_sms: Price
    customer_id: CustomerId = UNSET
    app_id: AppId = UNSET
    effective_from: EffectiveFrom
    created_by: CreatedBy
    withdrawal: WithdrawalField = UNSET

    @classmethod
    def of(cls, cost: pricing_pb2.Cost) -> CostHistoryRow:
        """The row of the pricing service as this route shows it."""
        return cls(
            cost_id=cost.cost_id,
            level=LEVEL_NAMES[cost.level],
            price_per_sms=number(cost.price_micros),
            customer_id=cost.customer_id if cost.HasField("customer_id") else UNSET,
            app_id=cost.app_id if cost.HasField("app_id") else UNSET,
            effective_from=instant(cost.effective_from),
            created_by=cost.created_by,
            withdrawal=Withdrawal.of(cost),
        )


class RecordedCost(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A recorded price with all that is known of it."""

    cost_id: CostId
    level: LevelName
    price_per_sms: Price
    customer_id: CustomerId = UNSET
    app_id: AppId = UNSET
    reason: Reason = UNSET
    effective_from: EffectiveFrom
    created_by: CreatedBy
    recorded_at: Annotated[datetime, Meta(tz=True, description="When the row was recorded, in UTC.")]
    revision: Annotated[
        int,
        Meta(
            ge=1,
            description="1 for the first row of a level, entity and effectiveFrom; the highest that is not withdrawn "
            "counts.",
        ),
    ]
    overridden_guards: Annotated[
        list[str] | UnsetType,
        Meta(
            description="The guards that found it unusual and were overridden, for instance `RELATIVE_CHANGE`; only "
            "when there were any."
        ),
    ] = UNSET
    withdrawal: WithdrawalField = UNSET

    @classmethod
    def of(cls, cost: pricing_pb2.Cost) -> RecordedCost:
        """The row of the pricing service as this route shows it."""
        return cls(
            cost_id=cost.cost_id,
            level=LEVEL_NAMES[cost.level],
            price_per_sms=number(cost.price_micros),
            customer_id=cost.customer_id if cost.HasField("customer_id") else UNSET,
            app_id=cost.app_id if cost.HasField("app_id") else UNSET,
            reason=cost.reason if cost.HasField("reason") else UNSET,
            effective_from=instant(cost.effective_from),
            created_by=cost.created_by,
            recorded_at=instant(cost.recorded_time),
            revision=cost.revision,
            overridden_guards=[guard_name(guard) for guard in cost.overridden_guards] or UNSET,
            withdrawal=Withdrawal.of(cost),
        )
