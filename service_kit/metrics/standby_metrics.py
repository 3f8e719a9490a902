"""Figures of reads that may be answered by a standby."""

from __future__ import annotations

import math

from prometheus_client import Counter, Gauge
from prometheus_client.registry import CollectorRegistry

from service_kit.postgres.standby import StandbyProgress


class ReplicaMetrics:
    """Counts such reads, and shows how far the standby is behind."""

    def __init__(self, registry: CollectorRegistry, progress: StandbyProgress | None) -> None:
        """`progress`: None where there is no replica."""
        reads = Counter(
            "tukupay_replica_reads",
            "Reads that may be answered by the replica, by the server that answered.",
            ("server",),
            registry=registry,
        )
        self._standby, self._primary = reads.labels("replica"), reads.labels("primary")
        gauge = Gauge(
            "tukupay_replica_staleness_seconds",
            "How old an answer of the replica may be now; +Inf while that is not known, NaN where there is no replica.",
            registry=registry,
        )
        gauge.set_function(lambda: _shown(progress))

    def read_standby(self) -> None:
        """Counts one that the replica answered."""
        self._standby.inc()

    def read_primary(self) -> None:
        """Counts one that the primary answered in its place."""
        self._primary.inc()


def _shown(progress: StandbyProgress | None) -> float:
    if progress is None:
        return math.nan
    return math.inf if progress.staleness_s is None else progress.staleness_s
