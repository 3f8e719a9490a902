"""The registry of a process, with the figures that every service has."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import GCCollector, Metric, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry
from typing_extensions import override

from service_kit.log_counts import LOGGED
from service_kit.version import VERSION


def new_registry(service: str) -> CollectorRegistry:
    """A registry with the figures of the process itself: memory, CPU, file descriptors, garbage collector, failures.

    `service` is its name in `tukupay_build_info`. The code that builds the service hands the registry to what measures;
    there is none at import.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(LOGGED)
    registry.register(_BuildInfo(service))
    return registry


class _BuildInfo(Collector):
    def __init__(self, service: str) -> None:
        self._service = service

    @override
    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily(
            "tukupay_build_info", "Always 1: the release that the process runs.", labels=("service", "version")
        )
        info.add_metric((self._service, VERSION), 1)
        yield info
