"""Failures of duties, logged and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog
from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry
from typing_extensions import override

from service_kit.duties.duty import DutyLog
from service_kit.errors import ServiceError

log = structlog.get_logger()


class DutyFailures(DutyLog):
    """Implements DutyLog."""

    def __init__(
        self,
        registry: CollectorRegistry,
        duties: Iterable[str],
        noted: Callable[[BaseException], object] = lambda _error: None,
    ) -> None:
        """`duties`: shown from the start with a nought, so that the first failure is a rise.

        `noted` is given what each failed with.
        """
        self._noted = noted
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

    @override
    def upkeep_failed(self, duty: str, error: ServiceError) -> None:
        self.count(duty)
        self._noted(error)
        log.warning("upkeep.failed", duty=duty, reason=error.reason)

    @override
    def upkeep_crashed(self, duty: str, error: Exception) -> None:
        self.count(duty)
        self._noted(error)
        log.error("upkeep.crashed", duty=duty, exc_info=error)
