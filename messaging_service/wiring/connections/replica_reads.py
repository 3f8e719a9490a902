"""Where lists, statements and reports are read: from a replica, where there is one, and it is near enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.registry import CollectorRegistry

from messaging_service.shared.postgres.lagging_reads import LaggingReads
from messaging_service.wiring.connections.pools import Pools
from messaging_service.wiring.settings.database_settings import DatabaseSettings
from service_kit.duties.duty import Duty, DutyLog
from service_kit.metrics.standby_metrics import ReplicaMetrics
from service_kit.postgres.standby import Standby, StandbyProgress

DUTY = "replica"


@dataclass(frozen=True, slots=True)
class ReplicaReads:
    """Reads that may be a moment old."""

    lists: LaggingReads
    statements: LaggingReads
    reports: LaggingReads
    standby: Standby | None
    """What is looked at again and again; None where there is no replica."""

    def duty(self, pools: Pools, log: DutyLog) -> Duty | None:
        """Keeps what is known of the replica up to date; None where there is none."""
        standby = self.standby
        if standby is None:
            return None
        # Who calls has connections of their own, however busy senders are.
        return Duty(DUTY, lambda: standby.look(pools.access), log, every_s=standby.progress.look_every_s)


def replica_reads(
    settings: DatabaseSettings, pools: Pools, registry: CollectorRegistry, now: Callable[[], datetime]
) -> ReplicaReads:
    """Makes them; nothing connects yet."""
    if pools.replica is None or pools.replica_reports is None:
        ReplicaMetrics(registry, None)
        lists, statements, reports = (LaggingReads(pool) for pool in (pools.main, pools.billing, pools.reports))
        return ReplicaReads(lists, statements, reports, None)
    progress = StandbyProgress(settings.replica_max_staleness_s)
    meter = ReplicaMetrics(registry, progress)
    standby, for_reports = Standby(pools.replica, progress), Standby(pools.replica_reports, progress)
    return ReplicaReads(
        lists=LaggingReads(pools.main, standby, meter, now),
        statements=LaggingReads(pools.billing, standby, meter, now),
        reports=LaggingReads(pools.reports, for_reports, meter, now),
        standby=standby,
    )
