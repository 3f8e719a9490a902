"""How much is on its way to webhooks, and how alerts stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from messaging_service.notices.domain.alert_conditions import AlertKind


@dataclass(frozen=True, slots=True)
class NoticeState:
    """What waits and what is open, each number up to MOST_COUNTED."""

    deliveries_due: int
    """Deliveries that may be posted now."""
    deliveries_held: int
    """Deliveries whose next try is later, or whose endpoint is left alone or disabled."""
    oldest_due_s: float
    """For how long the oldest of those that may be posted could have been; 0 when there is none."""
    untold_s: float
    """Age of the oldest event of a message that was not told yet; 0 when there is none."""
    endpoints_well: int
    endpoints_failing: int
    """Enabled, and the last post failed."""
    endpoints_disabled: int
    """By whoever made them, or as they said that they are gone."""
    alerts_open: Mapping[AlertKind, int]
    """Kinds that are absent have none."""
    alerts_looked_s: float
    """Time since any process looked for alerts; infinite before the first."""
