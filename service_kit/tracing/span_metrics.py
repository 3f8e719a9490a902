"""What became of spans: exported or dropped."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry

QUEUE_FULL: Final = "queue_full"
EXPORT_FAILED: Final = "export_failed"
STOPPED: Final = "stopped"


class SpanMetrics:
    """Counts spans; there from the start with noughts, also where tracing is off."""

    def __init__(self, registry: CollectorRegistry) -> None:
        exported = Counter(
            "tukupay_trace_spans_exported", "Spans that the receiver of traces has taken.", registry=registry
        )
        dropped = Counter(
            "tukupay_trace_spans_dropped",
            "Spans that are lost: the queue was full, the receiver did not take them, or the process ended before.",
            ("cause",),
            registry=registry,
        )
        limited = Counter(
            "tukupay_trace_requests_limited",
            "Requests that were not traced, as too many were in the same second.",
            registry=registry,
        )
        self.exported = exported.inc
        self.limited = limited.inc
        self.dropped = {cause: dropped.labels(cause).inc for cause in (QUEUE_FULL, EXPORT_FAILED, STOPPED)}
        """By cause."""
