"""Spans that are kept in memory, by an exporter that does what a test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from prometheus_client.registry import CollectorRegistry
from typing_extensions import override

from service_kit.tracing.otel_tracer import OtelTracer
from service_kit.tracing.sampling import Sampling
from service_kit.tracing.span_export import SpanExport
from service_kit.tracing.span_metrics import SpanMetrics


class Exporter(SpanExporter):
    """Takes what comes, once it may."""

    def __init__(self) -> None:
        self.taken: list[ReadableSpan] = []
        self.begun = threading.Event()
        """Set when it was asked."""
        self.may = threading.Event()
        """Whether it answers."""
        self.may.set()
        self.is_shut = False

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.begun.set()
        self.may.wait()
        self.taken += spans
        return SpanExportResult.SUCCESS

    @override
    def shutdown(self) -> None:
        self.is_shut = True


@contextmanager
def recording(
    *, ratio: float = 0.0, every_s: float = 0.01, registry: CollectorRegistry | None = None
) -> Iterator[tuple[OtelTracer, Exporter]]:
    """A tracer, and what it exports to; closed at the end."""
    metrics, exporter = SpanMetrics(registry or CollectorRegistry()), Exporter()
    export = SpanExport(exporter, metrics, every_s=every_s)
    tracer = OtelTracer(Sampling(ratio, 10_000, limited=metrics.limited), export, {"service.name": "test"})
    try:
        yield tracer, exporter
    finally:
        exporter.may.set()
        tracer.close()
