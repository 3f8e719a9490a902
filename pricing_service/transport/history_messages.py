"""When prices changed, between generated messages and the domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pricing_service.domain import reasons
from pricing_service.domain.history import TierInstants
from pricing_service.domain.tier import Tier, read_tier
from pricing_service.transport.cost_messages import LEVELS
from pricing_service.transport.import_messages import bounded
from pricing_service.use_cases.list_instants import MAX_TIERS
from service_kit.errors import Violation, invalid
from service_kit.grpc.timestamps import to_timestamp
from tukupay.sms.pricing.v1 import pricing_pb2


def read_tiers(request: pricing_pb2.BatchListChangeInstantsRequest) -> list[Tier]:
    """The tiers; raises ServiceError INVALID with every one at fault."""
    if not 1 <= len(request.tiers) <= MAX_TIERS:
        problem = f"has {len(request.tiers)} tiers; ask for 1 to {MAX_TIERS:,} at once"
        raise invalid([Violation("tiers", reasons.OUT_OF_RANGE, problem)])
    violations: list[Violation] = []
    tiers: list[Tier] = []
    for place, asked in enumerate(request.tiers):
        found: list[Violation] = []
        tier = read_tier(
            LEVELS.get(asked.level),
            asked.customer_id if asked.HasField("customer_id") else None,
            asked.app_id if asked.HasField("app_id") else None,
            found,
        )
        violations += [replace(each, field=f"tiers[{place}].{each.field}") for each in found]
        if tier is not None:
            tiers.append(tier)
    if violations:
        raise bounded(invalid(violations))
    return tiers


def to_instants(tiers: Sequence[TierInstants]) -> pricing_pb2.BatchListChangeInstantsResponse:
    """The wire form of the answer."""
    response = pricing_pb2.BatchListChangeInstantsResponse()
    for tier in tiers:
        message = response.tiers.add(incomplete=not tier.is_complete)
        for row in tier.rows:
            message.rows.add(
                effective_from=to_timestamp(row.effective_from),
                recorded_time=to_timestamp(row.recorded_at),
                withdrawn_time=None if row.withdrawn_at is None else to_timestamp(row.withdrawn_at),
            )
    return response
