"""The price of one SMS, and why it is that, as REST shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway_http.costs.cost_models import AppId, CostId, CustomerId, EffectiveFrom, Price
from gateway_http.shared.cost_levels import LEVEL_NAMES, LevelName
from gateway_http.shared.rest_instants import instant
from gateway_http.shared.rest_money import number
from tukupay.sms.pricing.v1 import pricing_pb2

Verdict = Literal["won", "weakerLevel", "superseded", "revised", "notYetEffective", "withdrawn"]

VERDICTS: dict[int, Verdict] = {
    pricing_pb2.CANDIDATE_VERDICT_WON: "won",
    pricing_pb2.CANDIDATE_VERDICT_WEAKER_LEVEL: "weakerLevel",
    pricing_pb2.CANDIDATE_VERDICT_SUPERSEDED: "superseded",
    pricing_pb2.CANDIDATE_VERDICT_REVISED: "revised",
    pricing_pb2.CANDIDATE_VERDICT_NOT_YET_EFFECTIVE: "notYetEffective",
    pricing_pb2.CANDIDATE_VERDICT_WITHDRAWN: "withdrawn",
}


class PriceCandidate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One recorded price that was considered."""

    cost_id: CostId
    level: LevelName
    price_per_sms: Price
    customer_id: CustomerId = UNSET
    app_id: AppId = UNSET
    effective_from: EffectiveFrom
    revision: Annotated[int, Meta(ge=1, description="Of the rows of one level, entity and effectiveFrom.")]
    recorded_at: Annotated[datetime, Meta(tz=True, description="When the row was recorded, in UTC.")]
    verdict: Annotated[
        Verdict,
        Meta(
            description="`won`: its price applies. `weakerLevel`: a level that comes before it has a price in effect. "
            "`superseded`: a row of the same level and entity took effect later. `revised`: a newer revision of the "
            "same instant replaced it. `notYetEffective`: it takes effect after the instant. `withdrawn`: it was "
            "taken back."
        ),
    ]
    explanation: Annotated[str, Meta(description="Why, for a person.")]

    @classmethod
    def of(cls, candidate: pricing_pb2.PriceCandidate) -> PriceCandidate:
        """The candidate of the pricing service as this route shows it."""
        cost = candidate.cost
        return cls(
            cost_id=cost.cost_id,
            level=LEVEL_NAMES[cost.level],
            price_per_sms=number(cost.price_micros),
            customer_id=cost.customer_id if cost.HasField("customer_id") else UNSET,
            app_id=cost.app_id if cost.HasField("app_id") else UNSET,
            effective_from=instant(cost.effective_from),
            revision=cost.revision,
            recorded_at=instant(cost.recorded_time),
            verdict=VERDICTS[candidate.verdict],
            explanation=candidate.explanation,
        )


class ResolvedPrice(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The price of one SMS unit for a customer, and the row that it comes from."""

    level: LevelName
    price_per_sms: Price
    customer_id: CustomerId = UNSET
    app_id: AppId = UNSET
    cost_id: CostId
    effective_from: EffectiveFrom
    resolved_at: Annotated[datetime, Meta(tz=True, description="The instant that was priced for, in UTC.")]
    valid_until: Annotated[
        datetime | UnsetType,
        Meta(
            description="The first instant after `resolvedAt` at which a recorded row changes the answer, in UTC; "
            "absent when none is known.",
            extra_json_schema={"format": "date-time"},
        ),
    ] = UNSET
    known_at: Annotated[
        datetime | UnsetType,
        Meta(
            description="What was known: the `knownAt` of the question, or else when the newest change that the answer "
            "counts was recorded. The same question with `at` set to `resolvedAt` and `knownAt` set to this has the "
            "same answer ever after. Absent in the moments after a change.",
            extra_json_schema={"format": "date-time"},
        ),
    ] = UNSET
    candidates: Annotated[
        list[PriceCandidate] | UnsetType,
        Meta(
            description="With `explain=true`: every row that was considered, the strongest first; at most 1,000, "
            "those nearest to the instant."
        ),
    ] = UNSET

    @classmethod
    def of(cls, answer: pricing_pb2.ResolvePriceResponse, *, explained: bool) -> ResolvedPrice:
        """The answer of the pricing service as this route shows it."""
        cost = answer.cost
        return cls(
            level=LEVEL_NAMES[cost.level],
            price_per_sms=number(cost.price_micros),
            customer_id=cost.customer_id if cost.HasField("customer_id") else UNSET,
            app_id=cost.app_id if cost.HasField("app_id") else UNSET,
            cost_id=cost.cost_id,
            effective_from=instant(cost.effective_from),
            resolved_at=instant(answer.resolved_at),
            valid_until=instant(answer.valid_until) if answer.HasField("valid_until") else UNSET,
            known_at=instant(answer.known_at) if answer.HasField("known_at") else UNSET,
            candidates=[PriceCandidate.of(candidate) for candidate in answer.candidates] if explained else UNSET,
        )
