"""Failures of duties, logged and counted."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry

log = structlog.get_logger()


class DutyFailures:
    """Implements DutyLog."""

    def __init__(self, registry: CollectorRegistry, duties: Iterable[str]) -> None:
        """`duties`: shown from the start with a nought, so that the first failure is a rise."""
        self._failures = Counter(
            "tukupay_duty_failures",
            "Passes of background duties that failed, and attempts that ended without a record.",
            ("duty",),
            registry=registry,
        )
        for duty in duties:
            self._failures.labels(duty)

    def count(self, duty: str) -> None:
        """One more."""
        self._failures.labels(duty).inc()

    def upkeep_failed(self, duty: str, reason: str) -> None:
        """See DutyLog."""
        self.count(duty)
        log.warning("upkeep.failed", duty=duty, reason=reason)

    def upkeep_crashed(self, duty: str, error: Exception) -> None:
        """See DutyLog."""
        self.count(duty)
        log.error("upkeep.crashed", duty=duty, exc_info=error)
