"""Taking back a price before it takes effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pricing_service.domain import reasons
from pricing_service.domain.cost import MAX_REASON, Cost
from pricing_service.domain.identifier import has_control_character, read_identifier, read_new_identifier
from service_kit.errors import Kind, ServiceError, Violation, invalid


@dataclass(frozen=True, slots=True)
class WithdrawalRequest:
    """A row to take back."""

    cost_id: str
    withdrawn_by: str
    reason: str


def ask_withdrawal(cost_id: str, withdrawn_by: str, reason: str) -> WithdrawalRequest:
    """Checks a request; raises ServiceError INVALID that names every field at fault."""
    found: list[Violation] = []
    read_identifier("cost_id", cost_id, found)
    read_new_identifier("withdrawn_by", withdrawn_by, found)
    if not reason.strip():
        found.append(Violation("reason", reasons.REQUIRED, "is required: say why this price is taken back"))
    elif len(reason) > MAX_REASON:
        problem = f"has {len(reason)} characters; at most {MAX_REASON} are allowed"
        found.append(Violation("reason", reasons.TOO_LONG, problem))
    elif has_control_character(reason, but="\t\n\r"):
        found.append(Violation("reason", reasons.MALFORMED, "has a control character; use plain text"))
    if found:
        raise invalid(found)
    return WithdrawalRequest(cost_id, withdrawn_by, reason)


def is_withdrawn_already(cost: Cost | None, request: WithdrawalRequest, now: datetime) -> bool:
    """Whether the same withdrawal is on record, so that nothing is to be done.

    Raises COST_NOT_FOUND, COST_WITHDRAWN when another one is on record, COST_IN_FORCE when it is too late.
    """
    metadata = {"cost_id": request.cost_id}
    if cost is None:
        message = "there is no such cost: look up its id in the history of its level"
        raise ServiceError(Kind.NOT_FOUND, reasons.COST_NOT_FOUND, message, metadata=metadata)
    taken = cost.withdrawal
    if taken is not None:
        if (taken.withdrawn_by, taken.reason) == (request.withdrawn_by, request.reason):
            return True
        message = f"{taken.withdrawn_by} withdrew this cost before: nothing is left to do"
        raise ServiceError(Kind.FAILED_PRECONDITION, reasons.COST_WITHDRAWN, message, metadata=metadata)
    if cost.effective_from <= now:
        message = "this cost has taken effect and cannot be withdrawn: set a new cost instead"
        raise ServiceError(Kind.FAILED_PRECONDITION, reasons.COST_IN_FORCE, message, metadata=metadata)
    return False
