"""Builds the upkeep of months, and the removal of old idempotency keys."""

from __future__ import annotations

from dataclasses import dataclass

from messaging_service.months.metrics.month_metrics import MonthMetrics
from messaging_service.months.month_upkeep import DUTY, MonthUpkeep
from messaging_service.months.postgres.postgres_months import PostgresKeyRetention, PostgresMonths
from messaging_service.shared.kept_archives import Retention
from messaging_service.wiring.messaging_process import Duties, Process

KEYS: str = "key_retention"


@dataclass(frozen=True, slots=True)
class WiredMonths:
    """What the room offers."""

    duties: Duties


def build_months(process: Process) -> WiredMonths:
    """Puts it together; nothing runs yet."""
    settings, pool = process.settings.months, process.pools.billing
    upkeep = MonthUpkeep(
        PostgresMonths(pool),
        MonthMetrics(process.registry),
        process.failures,
        now=process.seams.now,
        keep=settings.message_retention_months,
    )
    keys = Retention(PostgresKeyRetention(pool), process.failures, duty=KEYS, keep_s=settings.idempotency_days * 86_400)
    return WiredMonths(duties={DUTY: upkeep.run, KEYS: keys.run})
