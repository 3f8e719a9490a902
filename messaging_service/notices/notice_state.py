"""How much is on its way to endpoints, and how many alerts are open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from messaging_service.notices.domain.alert_conditions import AlertKind


@dataclass(frozen=True, slots=True)
class NoticeState:
    """What waits and what is open, each number up to MOST_COUNTED."""

    deliveries_due: int
    """Deliveries that may be sent now."""
    deliveries_held: int
    """Deliveries whose next try is later, or whose endpoint is paused or disabled."""
    oldest_due_s: float
    """How long the oldest delivery that may be sent has been due; 0 when there is none."""
    fan_out_lag_s: float
    """Age of the oldest event of a message that fan-out has not read yet; 0 when there is none."""
    endpoints_well: int
    endpoints_failing: int
    """Enabled, and the last try failed."""
    endpoints_disabled: int
    """By their owner, or because they answered that they are gone."""
    alerts_open: Mapping[AlertKind, int]
    """Kinds without any are absent."""
    alerts_looked_s: float
    """Seconds since any process evaluated the rules; infinite before the first time."""
