"""Counts the texts that people get, and the processes that send them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.registry import CollectorRegistry
from typing_extensions import override

from messaging_service.notices.domain.channels import CHANNEL_KINDS, TEXT_ERRORS
from messaging_service.notices.domain.endpoints import EndpointKind
from messaging_service.notices.notice_meters import DeliveryMeter, TextMeter

_TAKEN: Final = "TAKEN"
_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0)


class ChannelMetrics(DeliveryMeter, TextMeter):
    """The figures of channels."""

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
            "tukupay_channel_disabled", "Channels disabled because they answered 410.", registry=registry
        )
        self._started = Counter(
            "tukupay_channel_processes_started", "Processes started to send texts.", registry=registry
        )
        self._failed = Counter(
            "tukupay_channel_processes_failed",
            "Processes ended because they gave no answer, or none in time.",
            registry=registry,
        )
        self._running = Gauge("tukupay_channel_processes", "Processes that run now.", registry=registry)
        # At 0 from the start, so that the first one shows as an increase.
        for kind in CHANNEL_KINDS:
            self._events.labels(kind.value)
            for outcome in (_TAKEN, *TEXT_ERRORS):
                self._texts.labels(kind.value, outcome)

    def watch_processes(self, running: Callable[[], float]) -> None:
        """Reads the number of running processes whenever the metrics are read."""
        self._running.set_function(running)

    @override
    def text(self, kind: EndpointKind, error: str | None, events: int, took_s: float) -> None:
        self._texts.labels(kind.value, _TAKEN if error is None else error).inc()
        self._events.labels(kind.value).inc(events)
        self._seconds.labels(kind.value).observe(took_s)

    @override
    def process_started(self) -> None:
        self._started.inc()

    @override
    def process_failed(self) -> None:
        self._failed.inc()

    @override
    def fanned_out(self, events: int, deliveries: int) -> None:
        # NoticeMetrics counts it for webhooks and channels together.
        pass

    @override
    def tried(self, error: str | None, took_s: float) -> None:
        # Many deliveries are one text, which is what `text` counts.
        pass

    @override
    def given_up(self, deliveries: int) -> None:
        self._given_up.inc(deliveries)

    @override
    def disabled(self) -> None:
        self._disabled.inc()
