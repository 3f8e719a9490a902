"""How much of a database pool is in use, and who waits for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from service_kit.postgres.database import Pool

_GAUGES: Final = {
    "pool_max": ("max_connections", "Connections that the pool may have."),
    "pool_size": ("connections", "Connections that the pool has, those being made included."),
    "pool_available": ("idle_connections", "Connections that nobody uses now."),
    "requests_waiting": ("waiting", "Callers that wait for a connection now."),
}
_COUNTERS: Final = {
    "requests_num": ("requests", "Connections asked for.", 1.0),
    "requests_queued": ("queued", "Of those, how many had to wait.", 1.0),
    "requests_wait_ms": ("wait_seconds", "Time that callers waited for a connection.", 0.001),
    "requests_errors": ("errors", "Connections that could not be had in time, or at all.", 1.0),
    "connections_lost": ("lost", "Connections that broke.", 1.0),
}


class PoolCollector(Collector):
    """Reads what the pools count anyway, at each scrape; costs their callers nothing."""

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        """`pools` by the name that their figures carry."""
        self._pools = pools

    def collect(self) -> Iterator[Metric]:
        """The figures of all pools."""
        stats = {name: pool.get_stats() for name, pool in self._pools.items()}
        for key, (suffix, text) in _GAUGES.items():
            gauge = GaugeMetricFamily(f"tukupay_database_pool_{suffix}", text, labels=["pool"])
            for name, counts in stats.items():
                gauge.add_metric([name], counts.get(key, 0))
            yield gauge
        for key, (suffix, text, unit) in _COUNTERS.items():
            counter = CounterMetricFamily(f"tukupay_database_pool_{suffix}", text, labels=["pool"])
            for name, counts in stats.items():
                counter.add_metric([name], counts.get(key, 0) * unit)
            yield counter
