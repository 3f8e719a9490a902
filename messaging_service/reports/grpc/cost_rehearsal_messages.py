"""RehearseCosts, from and to generated messages."""

from __future__ import annotations

from collections.abc import Iterable

from messaging_service.prices.domain.book_prices import DraftPrice
from messaging_service.reports.domain.cost_rehearsal import DraftEffect, RehearsedTotal, largest_first
from messaging_service.reports.rehearse_costs import RehearseCosts
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.money import PriceLevel, from_micros, to_micros
from messaging_service.shared.grpc import wire
from service_kit.errors import Violation, invalid
from service_kit.grpc.timestamps import to_timestamp
from tukupay.sms.messaging.v1 import reports_pb2 as pb

MAX_CUSTOMERS = 1_000
_LEVEL_OF = {value: level for level, value in wire.LEVELS.items()}


async def rehearse_costs(rehearse: RehearseCosts, request: pb.RehearseCostsRequest) -> pb.RehearseCostsResponse:
    """Answers the call."""
    start, end = wire.to_period(request)
    rehearsal = await rehearse(_to_drafts(request.drafts), start, end)
    return pb.RehearseCostsResponse(
        total=_total(pb.RehearsedTotal(), rehearsal.total),
        by_customer=[
            _total(pb.RehearsedTotal(user_id=account_id), total)
            for account_id, total in largest_first(rehearsal.by_customer.items())[:MAX_CUSTOMERS]
        ],
        by_app=[
            _total(pb.RehearsedTotal(app_id=app_id), total) for app_id, total in largest_first(rehearsal.by_app.items())
        ],
        by_level=[
            _total(pb.RehearsedTotal(level=wire.LEVELS[PriceLevel(level)]), total)
            for level, total in largest_first(rehearsal.by_level.items())
        ],
        unpriced_messages=rehearsal.unpriced_messages,
        drafts=[_from_effect(effect) for effect in rehearsal.drafts],
    )


def _to_drafts(drafts: Iterable[pb.DraftPrice]) -> list[DraftPrice]:
    """Checked only for what the domain has no words for; the price book checks the rest."""
    found: list[Violation] = []
    read: list[DraftPrice] = []
    for place, draft in enumerate(drafts):
        field = f"drafts[{place}]"
        level = _LEVEL_OF.get(draft.level)
        if level is None:
            problem = f"has the unknown value {draft.level}; use one of PriceLevel"
            found.append(Violation(f"{field}.level", reasons.INVALID_LEVEL, problem))
        if not draft.HasField("effective_from"):
            problem = "is required: the first instant at which the price would apply"
            found.append(Violation(f"{field}.effective_from", reasons.REQUIRED, problem))
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


def _from_effect(effect: DraftEffect) -> pb.RehearsedDraft:
    draft = pb.RehearsedDraft(messages=effect.messages, units=effect.units, new_micros=to_micros(effect.new))
    if (other := effect.superseded_by) is not None:
        draft.superseded_by.cost_id = other.cost_id
        draft.superseded_by.level = wire.LEVELS[other.level]
        draft.superseded_by.effective_from.CopyFrom(to_timestamp(other.effective_from))
    return draft


def _total(keyed: pb.RehearsedTotal, total: RehearsedTotal) -> pb.RehearsedTotal:
    """Fills in the amounts of a total that has its key, and returns it."""
    keyed.messages = total.messages
    keyed.units = total.units
    keyed.old_micros = to_micros(total.old)
    keyed.new_micros = to_micros(total.new)
    keyed.difference_micros = to_micros(total.difference)
    return keyed
