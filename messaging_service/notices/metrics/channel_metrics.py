"""What is told to people, and the processes that do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.registry import CollectorRegistry

from messaging_service.notices.domain.channels import CHANNEL_KINDS, TEXT_ERRORS
from messaging_service.notices.domain.endpoints import EndpointKind

_TAKEN: Final = "TAKEN"
_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0)


class ChannelMetrics:
    """Implements DeliveryMeter and TextMeter for channels."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._texts = Counter(
            "tukupay_channel_texts",
            "Texts handed to channels, by what became of them.",
            ("kind", "outcome"),
            registry=registry,
        )
        self._events = Counter("tukupay_channel_events", "Events in these texts.", ("kind",), registry=registry)
        self._seconds = Histogram(
            "tukupay_channel_text_seconds",
            "From the question to a process to its answer, its start included.",
            ("kind",),
            registry=registry,
            buckets=_SECONDS,
        )
        self._given_up = Counter(
            "tukupay_channel_given_up", "Events that were given up in their last try.", registry=registry
        )
        self._disabled = Counter(
            "tukupay_channel_disabled", "Channels disabled as they answered 410.", registry=registry
        )
        self._started = Counter("tukupay_channel_processes_started", "Processes started to tell.", registry=registry)
        self._failed = Counter(
            "tukupay_channel_processes_failed",
            "Processes ended as they gave no answer, or none in time.",
            registry=registry,
        )
        self._running = Gauge("tukupay_channel_processes", "Processes that run now.", registry=registry)
        # Shown from the start with a nought, so that the first one is a rise.
        for kind in CHANNEL_KINDS:
            self._events.labels(kind.value)
            for outcome in (_TAKEN, *TEXT_ERRORS):
                self._texts.labels(kind.value, outcome)

    def watch_processes(self, running: Callable[[], float]) -> None:
        """Shows how many run, whenever it is asked for."""
        self._running.set_function(running)

    def text(self, kind: EndpointKind, error: str | None, events: int, took_s: float) -> None:
        """See TextMeter.text."""
        self._texts.labels(kind.value, _TAKEN if error is None else error).inc()
        self._events.labels(kind.value).inc(events)
        self._seconds.labels(kind.value).observe(took_s)

    def process_started(self) -> None:
        """See TextMeter.process_started."""
        self._started.inc()

    def process_failed(self) -> None:
        """See TextMeter.process_failed."""
        self._failed.inc()

    def told(self, events: int, deliveries: int) -> None:
        """See DeliveryMeter.told. Counted for webhooks and channels together."""

    def tried(self, error: str | None, took_s: float) -> None:
        """See DeliveryMeter.tried. Here many deliveries are one text, which is what is counted."""

    def given_up(self, deliveries: int) -> None:
        """See DeliveryMeter.given_up."""
        self._given_up.inc(deliveries)

    def disabled(self) -> None:
        """See DeliveryMeter.disabled."""
        self._disabled.inc()
