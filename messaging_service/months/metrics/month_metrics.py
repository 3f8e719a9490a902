"""How far the partitions go, for an alert long before sends would be refused."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Gauge
from prometheus_client.registry import CollectorRegistry
from typing_extensions import override

from messaging_service.months.month_upkeep import MonthMeter


class MonthMetrics(MonthMeter):
    """Implements MonthMeter."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._ahead = Gauge(
            "tukupay_partition_horizon_months",
            "Months after the present one for which a table has partitions.",
            ("table",),
            registry=registry,
        )
        self._overdue = Gauge(
            "tukupay_months_overdue",
            "Months of messages that are older than SMS_MESSAGE_RETENTION_MONTHS and still there.",
            registry=registry,
        )

    @override
    def show(self, ahead: Mapping[str, int], overdue: int) -> None:
        for table, months in ahead.items():
            self._ahead.labels(table).set(months)
        self._overdue.set(overdue)
