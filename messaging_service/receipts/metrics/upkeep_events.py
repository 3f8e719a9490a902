"""What an operator should see of sweeps and of late outcomes, logged and counted."""

from __future__ import annotations

import structlog
from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry
from typing_extensions import override

from messaging_service.receipts.late_outcomes import LateLog
from messaging_service.receipts.upkeep import UpkeepLog
from messaging_service.sending.outbox import Swept
from messaging_service.shared.metrics.counted_duties import CountedDuties
from service_kit.duties.duty_failures import DutyFailures

log = structlog.get_logger()


class CountedUpkeep(CountedDuties, UpkeepLog, LateLog):
    """Implements UpkeepLog and LateLog."""

    def __init__(self, failures: DutyFailures, registry: CollectorRegistry) -> None:
        super().__init__(failures)
        swept = Counter(
            "tukupay_swept", "Messages that the sweep moved, as nobody else would.", ("to",), registry=registry
        )
        self._orphaned = swept.labels("unknown")
        self._expired = swept.labels("expired")
        self._resent = swept.labels("ready")
        late = Counter(
            "tukupay_late_outcomes",
            "Outcomes that came after their submits were called unknown.",
            ("result",),
            registry=registry,
        )
        self._late_recorded, self._late_overtaken = late.labels("recorded"), late.labels("overtaken")

    @override
    def swept(self, swept: Swept) -> None:
        self._orphaned.inc(swept.orphaned)
        self._expired.inc(swept.expired)
        self._resent.inc(swept.resent)
        log.warning("outbox.swept", orphaned=swept.orphaned, expired=swept.expired, resent=swept.resent)

    @override
    def rerouted(self, messages: int) -> None:
        log.warning("queue.rerouted", messages=messages)

    @override
    def late_outcomes(self, recorded: int, ignored: int) -> None:
        self._late_recorded.inc(recorded)
        self._late_overtaken.inc(ignored)
        log.info("late_outcomes", recorded=recorded, ignored=ignored)
