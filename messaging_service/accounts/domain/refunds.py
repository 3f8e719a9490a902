"""Which charges of a message are paid back: each once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.message import outbox_id
from messaging_service.shared.domain.states import Billing
from service_kit.errors import Kind, ServiceError


class Charge(NamedTuple):
    """What an attempt of a message was charged."""

    attempt: int
    """1 for the first."""
    amount: Decimal
    """KES; 0 or above."""


def charges_to_refund(
    message_id: UUID,
    billing: Billing,
    charges: Sequence[Charge],
    refunded: Collection[int | None],
    attempt: int | None = None,
) -> list[Charge]:
    """The charges to pay back now; none when all that were asked for are paid back already.

    `charges`: those of the `attempt` that is asked for, or of the whole message when none is. `refunded`: the attempts
    whose charges are paid back. `billing` is the message's. Raises ServiceError NOT_CHARGED without any charge.
    """
    if not charges:
        raise _not_charged(message_id, billing, attempt)
    return [charge for charge in charges if charge.attempt not in refunded]


def _not_charged(message_id: UUID, billing: Billing, attempt: int | None) -> ServiceError:
    identity = {"outbox_id": outbox_id(message_id), "billing": billing.value}
    if attempt is None:
        problem = (
            f"no attempt of this message was charged, its money is {billing.value}: there is no charge to pay back"
        )
    else:
        problem = f"attempt {attempt} of this message was not charged: there is no charge to pay back"
        identity["attempt"] = str(attempt)
    return ServiceError(Kind.FAILED_PRECONDITION, reasons.NOT_CHARGED, problem, metadata=identity)
