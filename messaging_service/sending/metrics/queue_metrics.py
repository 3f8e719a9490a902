"""How much waits in the queue and in the inbox of receipts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from prometheus_client import Gauge
from prometheus_client.registry import CollectorRegistry
from typing_extensions import override

from messaging_service.sending.queue_state import QueueState, Waiting
from messaging_service.shared.domain.states import Priority
from messaging_service.shared.gauge_poller import LookMeter


class QueueMetrics(LookMeter[QueueState]):
    """Implements LookMeter: shows what the latest look saw, and how long ago that was."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds, monotonic."""
        self._clock = clock
        self._looked_at = -math.inf
        self._messages = Gauge(
            "tukupay_queue_messages",
            "Messages in the queue of all processes, counted up to 10,000.",
            ("lane", "state"),
            registry=registry,
        )
        self._oldest_due = Gauge(
            "tukupay_queue_oldest_due_seconds",
            "For how long the oldest due message should have gone; 0 when none is due.",
            ("lane",),
            registry=registry,
        )
        self._receipts = Gauge(
            "tukupay_receipts_waiting",
            "Receipts in the inbox of all processes, counted up to 10,000.",
            ("state",),
            registry=registry,
        )
        Gauge(
            "tukupay_queue_look_age_seconds",
            "Time since the queue was last looked at; infinite before.",
            registry=registry,
        ).set_function(lambda: self._clock() - self._looked_at)

    @override
    def looked(self, state: QueueState) -> None:
        self._looked_at = self._clock()
        for lane in Priority:
            for waiting in Waiting:
                self._messages.labels(lane.value, waiting.value).set(state.messages.get((lane, waiting), 0))
            self._oldest_due.labels(lane.value).set(state.oldest_due_s.get(lane, 0.0))
        self._receipts.labels("new").set(state.receipts_new)
        self._receipts.labels("unmatched").set(state.receipts_unmatched)
        self._receipts.labels("orphaned").set(state.receipts_orphaned)
