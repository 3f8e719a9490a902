"""RehearseCosts, from and to generated messages."""

from __future__ import annotations

from collections.abc import Iterable

from messaging_service.prices.domain.price_book import DraftPrice
from messaging_service.reports.domain.cost_rehearsal import DraftEffect, RehearsedTotal, largest_first
from messaging_service.reports.rehearse_costs import RehearseCosts
from messaging_service.shared.domain.money import from_micros, to_micros
from messaging_service.shared.grpc import wire
from service_kit.errors import Violation, invalid
from tukupay.sms.messaging.v1 import messaging_pb2 as pb
from tukupay.sms.pricing.v1 import pricing_pb2

MAX_CUSTOMERS = 1_000
_LEVEL_OF = {value: level for level, value in wire.LEVELS.items()}


async def rehearse_costs(rehearse: RehearseCosts, request: pb.RehearseCostsRequest) -> pb.RehearseCostsResponse:
    """Answers the call."""
    start, end = wire.to_period(request)
    rehearsal = await rehearse(_to_drafts(request.drafts), start, end)
    return pb.RehearseCostsResponse(
        total=_from_total("", rehearsal.total),
        by_customer=_from_totals(rehearsal.by_customer.items(), MAX_CUSTOMERS),
        by_app=_from_totals(rehearsal.by_app.items()),
        by_level=_from_totals(rehearsal.by_level.items()),
        unpriced_messages=rehearsal.unpriced_messages,
        drafts=[_from_effect(effect) for effect in rehearsal.drafts],
    )


def _to_drafts(drafts: Iterable[pricing_pb2.DraftCost]) -> list[DraftPrice]:
    """Checked only for what the domain has no words for; the price book checks the rest."""
    found: list[Violation] = []
    read: list[DraftPrice] = []
    for place, draft in enumerate(drafts):
        field = f"drafts[{place}]"
        level = _LEVEL_OF.get(draft.level)
        if level is None:
            problem = f"has the unknown value {draft.level}; use one of CostLevel"
            found.append(Violation(f"{field}.level", "INVALID_LEVEL", problem))
        if not draft.HasField("effective_from"):
            problem = "is required: the first instant at which the price would apply"
            found.append(Violation(f"{field}.effective_from", "REQUIRED", problem))
        if level is None or not draft.HasField("effective_from"):
            continue
        read.append(
            DraftPrice(
                level=level,
                unit_price=from_micros(draft.price_micros),
                customer_id=draft.customer_id if draft.HasField("customer_id") else None,
                app_id=draft.app_id if draft.HasField("app_id") else None,
                effective_from=wire.to_instant(f"{field}.effective_from", draft.effective_from),
            )
        )
    if found:
        raise invalid(found)
    return read


def _from_totals(totals: Iterable[tuple[str, RehearsedTotal]], limit: int | None = None) -> list[pb.RehearsedTotal]:
    return [_from_total(key, total) for key, total in largest_first(totals)[:limit]]


def _from_effect(effect: DraftEffect) -> pb.RehearsedDraft:
    draft = pb.RehearsedDraft(messages=effect.messages, units=effect.units, new_micros=to_micros(effect.new))
    if (other := effect.superseded_by) is not None:
        draft.superseded_by.cost_id = other.cost_id
        draft.superseded_by.level = wire.LEVELS[other.level]
        draft.superseded_by.effective_from.FromDatetime(other.effective_from)
    return draft


def _from_total(key: str, total: RehearsedTotal) -> pb.RehearsedTotal:
    return pb.RehearsedTotal(
        key=key,
        messages=total.messages,
        units=total.units,
        old_micros=to_micros(total.old),
        new_micros=to_micros(total.new),
        difference_micros=to_micros(total.difference),
    )
