"""What an operator should see of carriers, logged and counted."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry
from typing_extensions import override

from messaging_service.carriers.carrier_fleet import FleetLog
from messaging_service.carriers.domain.carrier_control import CarrierMode

log = structlog.get_logger()


class CountedFleet(FleetLog):
    """Implements FleetLog."""

    def __init__(self, registry: CollectorRegistry, carriers: Iterable[str]) -> None:
        """`carriers`: shown from the start with a nought, so that the first time is a rise."""
        self._breaker_opened = Counter(
            "tukupay_carrier_breaker_opened",
            "How often a carrier was left alone, as it failed too often.",
            ("carrier",),
            registry=registry,
        )
        for carrier in carriers:
            self._breaker_opened.labels(carrier)

    @override
    def breaker_opened(self, carrier: str, seconds: float) -> None:
        self._breaker_opened.labels(carrier).inc()
        log.error("carrier.breaker_opened", carrier=carrier, seconds=seconds)

    @override
    def breaker_closed(self, carrier: str) -> None:
        log.info("carrier.breaker_closed", carrier=carrier)

    @override
    def carrier_mode(self, carrier: str, mode: CarrierMode) -> None:
        log.warning("carrier.mode", carrier=carrier, mode=mode.value)

    @override
    def carrier_mode_failed(self, carrier: str, mode: CarrierMode, error: Exception) -> None:
        log.error("carrier.mode_failed", carrier=carrier, mode=mode.value, exc_info=error)
