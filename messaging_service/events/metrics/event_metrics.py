"""Events that an operator should see, counted as well as logged."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry

from messaging_service.opt_outs.inbound_inbox import WorkedInbound
from messaging_service.sending.outbox import Swept
from messaging_service.wiring.event_notes import EventsLog
from service_kit.duties.duty_failures import DutyFailures

_DUTIES: Final = (
    "attempt",
    "settlement",
    "claims",
    "carriers",
    "outcomes",
    "late_outcomes",
    "watching",
    "sweep",
    "receipts",
    "inbound",
    "opt_outs",
    "inbound_retention",
    "receipt_retention",
    "alert_retention",
    "queue_look",
    "webhook_telling",
    "webhook_deliveries",
    "channel_deliveries",
    "webhook_look",
    "alerts",
)
"""Shown from the start with a nought, so that the first failure is a rise."""


class CountedEvents(EventsLog):
    """Implements the log ports of the use cases, and counts what is told."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._swept = Counter(
            "tukupay_swept", "Messages that the sweep moved, as nobody else would.", ("to",), registry=registry
        )
        self._failures = DutyFailures(registry, _DUTIES)
        asked = Counter(
            "tukupay_opt_out_words",
            "Messages from phones, and reports of carriers, that opted out or in.",
            ("directive",),
            registry=registry,
        )
        self._opted_out = asked.labels("opt_out")
        self._opted_in = asked.labels("opt_in")
        self._stopped = Counter(
            "tukupay_opt_out_cancelled", "Queued messages cancelled as their phones opted out.", registry=registry
        )
        self._orphaned = self._swept.labels("unknown")
        self._expired = self._swept.labels("expired")
        self._resent = self._swept.labels("ready")
        late = Counter(
            "tukupay_late_outcomes",
            "Outcomes that came after their submits were called unknown.",
            ("result",),
            registry=registry,
        )
        self._late_recorded, self._late_overtaken = late.labels("recorded"), late.labels("overtaken")
        self._breaker_opened = Counter(
            "tukupay_carrier_breaker_opened",
            "How often a carrier was left alone, as it failed too often.",
            ("carrier",),
            registry=registry,
        )

    def settlement_lost(self, message_id: str, outcome: str) -> None:
        """See EventLog."""
        self._failed("settlement")
        super().settlement_lost(message_id, outcome)

    def settlement_crashed(self, message_id: str, error: Exception) -> None:
        """See EventLog."""
        self._failed("settlement")
        super().settlement_crashed(message_id, error)

    def attempt_failed(self, error: BaseException) -> None:
        """See EventLog."""
        self._failed("attempt")
        super().attempt_failed(error)

    def upkeep_failed(self, duty: str, reason: str) -> None:
        """See DutyLog."""
        self._failures.upkeep_failed(duty, reason)

    def upkeep_crashed(self, duty: str, error: Exception) -> None:
        """See DutyLog."""
        self._failures.upkeep_crashed(duty, error)

    def swept(self, swept: Swept) -> None:
        """See UpkeepLog."""
        self._orphaned.inc(swept.orphaned)
        self._expired.inc(swept.expired)
        self._resent.inc(swept.resent)
        super().swept(swept)

    def opted(self, worked: WorkedInbound) -> None:
        """See InboundLog."""
        self._opted_out.inc(worked.opted_out)
        self._opted_in.inc(worked.opted_in)
        super().opted(worked)

    def queued_stopped(self, messages: int) -> None:
        """See InboundLog."""
        self._stopped.inc(messages)
        super().queued_stopped(messages)

    def late_outcomes(self, recorded: int, ignored: int) -> None:
        """See LateLog."""
        self._late_recorded.inc(recorded)
        self._late_overtaken.inc(ignored)
        super().late_outcomes(recorded, ignored)

    def breaker_opened(self, carrier: str, seconds: float) -> None:
        """See FleetLog."""
        self._breaker_opened.labels(carrier).inc()
        super().breaker_opened(carrier, seconds)

    def _failed(self, duty: str) -> None:
        self._failures.count(duty)
