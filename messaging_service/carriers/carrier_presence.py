"""What is to be sent now needs a carrier that is up."""

from __future__ import annotations

from datetime import timedelta

from messaging_service.carriers.route_carriers import RouteCarriers
from messaging_service.shared.domain import reasons
from service_kit.errors import Kind, ServiceError


async def require_carrier(carriers: RouteCarriers, grace_s: float) -> None:
    """Waits for a carrier to come up; raises ServiceError CARRIER_UNAVAILABLE when none does in time.

    A carrier that an operator has paused counts as up: what only it could take waits in the queue. So does one whose
    binds other replicas hold: they take what this one queues.
    """
    if carriers.is_up or carriers.is_paused or carriers.is_held_elsewhere or await carriers.wait_until_up(grace_s):
        return
    raise ServiceError(
        Kind.UNAVAILABLE,
        reasons.CARRIER_UNAVAILABLE,
        "no carrier can be reached; nothing was stored or charged, try again shortly with the same message id",
        retry_after=timedelta(seconds=5),
    )
