"""How accounts are warned."""

from __future__ import annotations

from dataclasses import dataclass

from service_kit.settings import integer, seconds, setting


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """How often alerts are looked for, and how long they are kept."""

    alert_every_s: float = setting(
        "ALERT_EVERY_S",
        "seconds between two evaluations of all alert rules, by all processes together",
        parse=seconds(0.05, 3_600),
        default=5.0,
        guide="guides/alerts.md",
    )
    alert_retention_days: int = setting(
        "ALERT_RETENTION_DAYS",
        "days that alerts are kept after they were resolved; 0 for ever",
        parse=integer(0, 3_650),
        default=365,
    )
