"""What an operator should know of a carrier beyond its figures."""

from __future__ import annotations

from collections.abc import Sequence

from messaging_service.carriers.smpp.binds.bind import KeptBind
from messaging_service.carriers.smpp.binds.leased_binds import LeasedBinds
from messaging_service.carriers.template.rate_limit import RateLimit


def remark_on(binds: Sequence[KeptBind], leased: LeasedBinds | None, rate: RateLimit) -> str | None:
    """Sentences joined by semicolons; None when there is nothing to say."""
    remarks: list[str] = []
    for bind in binds:
        deafness = bind.deafness
        if deafness is not None:
            remarks.append(f"the receiver of bind {bind.number} is down, so receipts wait at the carrier: {deafness}")
        if bind.ends_because is not None:
            remarks.append(f"bind {bind.number} winds up: {bind.ends_because}")
    throttled = [str(bind.number) for bind in binds if _is_throttled(bind)]
    if throttled:
        remarks.append(f"the carrier throttles bind {', '.join(throttled)}")
    if leased is not None:
        if leased.is_fenced:
            remarks.append("the bind leases ran out, as the database could not be reached")
        elif leased.held < leased.fair:
            remarks.append(f"holds {leased.held} of its share of {leased.fair} binds; other replicas hold the rest")
    if rate.is_exhausted:
        remarks.append(f"submits wait for the rate limit of {rate.per_s:g} a second")
    return "; ".join(remarks) or None


def _is_throttled(bind: KeptBind) -> bool:
    return bind.session is not None and bind.session.is_up and bind.session.is_throttled
