"""What a move of a message outside its own attempt does to the money of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from messaging_service.shared.domain.states import BILLINGS_OF, Billing, State
from service_kit.access.principal import AccessMode


class ChargePolicy(StrEnum):
    """What an account pays for."""

    ACCEPTANCE = "acceptance"
    """A carrier's acceptance: what it could not deliver stays charged, as carriers charge it, too."""
    DELIVERY = "delivery"
    """As ACCEPTANCE, and the charge is paid back when the carrier reports that the message did not arrive."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What happens to the money."""

    billing: Billing
    """Afterwards."""
    ends_hold: bool
    charges: bool
    """Whether the ledger gets a charge."""
    refunds: bool
    """Whether the ledger gets a refund."""


def transfer_for(present: Billing, state: State, policy: ChargePolicy, mode: AccessMode = AccessMode.LIVE) -> Transfer:
    """What a message with this billing owes once it is in a state.

    Whatever a carrier took is charged first, once in an attempt, and refunded afterwards: so the ledger shows every
    acceptance, and no charge twice. Of test messages, which cost nothing, it shows none.
    """
    held = present is Billing.HELD
    if Billing.RELEASED in BILLINGS_OF[state]:
        return Transfer(Billing.RELEASED, ends_hold=held, charges=False, refunds=False)
    if Billing.HELD in BILLINGS_OF[state]:
        return Transfer(present, ends_hold=False, charges=False, refunds=False)
    refunds = state is State.UNDELIVERED and policy is ChargePolicy.DELIVERY and present is not Billing.REFUNDED
    billing = Billing.REFUNDED if refunds or present is Billing.REFUNDED else Billing.CHARGED
    is_live = mode is AccessMode.LIVE
    return Transfer(billing, ends_hold=held, charges=held and is_live, refunds=refunds and is_live)
