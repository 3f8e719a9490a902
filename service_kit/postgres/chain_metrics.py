"""How far behind the chains of a database are, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override


class ChainCollector(Collector):
    """Reads the lags when Prometheus asks."""

    def __init__(self, lags_s: Callable[[], Mapping[str, float]]) -> None:
        self._lags_s = lags_s

    @override
    def collect(self) -> Iterator[Metric]:
        lag = GaugeMetricFamily(
            "tukupay_hash_chain_lag_seconds",
            "Age of the newest moment up to which every row is chained, by chain.",
            labels=["chain"],
        )
        for chain, seconds in self._lags_s().items():
            lag.add_metric([chain], seconds)
        yield lag
