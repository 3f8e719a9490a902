"""What the gateway knows of API keys, for Prometheus."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

from gateway_http.access.known_keys import KeyCounts


class CountedKeys(Protocol):
    """Whatever keeps keys."""

    def counts(self) -> KeyCounts:
        """The figures of now."""
        ...


class KeyCacheCollector(Collector):
    """Reads the figures at each scrape; costs requests nothing."""

    def __init__(self, keys: CountedKeys | None) -> None:
        """`keys`: None where no credential is asked for."""
        self._keys = keys

    @override
    def collect(self) -> Iterator[Metric]:
        counts = KeyCounts(0, 0, 0, 0, math.nan) if self._keys is None else self._keys.counts()
        yield CounterMetricFamily(
            "tukupay_key_cache_hits", "Requests with a key whose answer was at hand.", value=counts.hits
        )
        yield CounterMetricFamily(
            "tukupay_key_cache_misses", "Requests with a key that had to be asked about.", value=counts.misses
        )
        kept = GaugeMetricFamily("tukupay_key_cache_keys", "Keys whose answers are kept.", labels=("state",))
        kept.add_metric(("valid",), counts.valid)
        kept.add_metric(("not_valid",), counts.not_valid)
        yield kept
        yield GaugeMetricFamily(
            "tukupay_key_cache_staleness_seconds",
            "Time since the watch of keys last said something, or since the start; NaN without access control.",
            value=counts.staleness_s,
        )
