"""What is to be sent now needs a carrier that is up."""

from __future__ import annotations

from datetime import timedelta

from messaging_service.use_cases.carrier import Carrier
from service_kit.errors import Kind, ServiceError


async def require_carrier(carrier: Carrier, grace_s: float) -> None:
    """Waits for a carrier to come up; raises ServiceError CARRIER_UNAVAILABLE when none does in time."""
    if carrier.is_up or await carrier.wait_until_up(grace_s):
        return
    raise ServiceError(
        Kind.UNAVAILABLE,
        "CARRIER_UNAVAILABLE",
        "no carrier can be reached; nothing was stored or charged, try again shortly with the same message_id",
        retry_after=timedelta(seconds=5),
    )
