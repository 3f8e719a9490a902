"""The Tracer on the OpenTelemetry SDK. Slow to import, so only where tracing is on."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import requests
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags
from typing_extensions import override

from service_kit.errors import ServiceError
from service_kit.tracing.sampling import Sampling
from service_kit.tracing.span import Attributes, Span, SpanKind, bind_span, current_span
from service_kit.tracing.span_export import SpanExport
from service_kit.tracing.span_metrics import SpanMetrics
from service_kit.tracing.trace_context import TraceContext
from service_kit.tracing.tracer import Tracer
from service_kit.tracing.tracing_settings import TracingSettings

EXPORT_TIMEOUT_S: Final = 5.0
"""Of a batch of spans, with its repetitions."""
MAX_LINKS: Final = 1_000
"""As many as a batch has messages."""
_KINDS: Final = {
    SpanKind.INTERNAL: trace.SpanKind.INTERNAL,
    SpanKind.SERVER: trace.SpanKind.SERVER,
    SpanKind.CLIENT: trace.SpanKind.CLIENT,
    SpanKind.PRODUCER: trace.SpanKind.PRODUCER,
    SpanKind.CONSUMER: trace.SpanKind.CONSUMER,
}
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_ERROR_TYPE: Final = "error.type"


class OtelTracer(Tracer):
    """Implements Tracer: every span that begins is recorded, as the decision was made before."""

    def __init__(self, sampling: Sampling, export: SpanExport, resource: Attributes) -> None:
        """`resource` says which process the spans are of."""
        self._sampling = sampling
        self._export = export
        # Built, not created: what the environment has for programs in general is not for this one.
        provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource(dict(resource)),
            shutdown_on_exit=False,
            span_limits=SpanLimits(max_links=MAX_LINKS),
        )
        provider.add_span_processor(export)
        self._tracer = provider.get_tracer("tukupay-sms")

    @override
    def samples(self) -> bool:
        return self._sampling.samples()

    @override
    def followed(self, traceparent: str | bytes | None) -> TraceContext | None:
        return self._sampling.followed(traceparent)

    @override
    def begin(
        self,
        name: str,
        kind: SpanKind,
        *,
        parent: TraceContext | None = None,
        links: Sequence[TraceContext] = (),
        attributes: Attributes | None = None,
        ago_s: float = 0.0,
    ) -> Span:
        above = trace.INVALID_SPAN if parent is None else NonRecordingSpan(_to_otel(parent))
        span = self._tracer.start_span(
            name,
            trace.set_span_in_context(above),
            _KINDS[kind],
            attributes,
            [Link(_to_otel(link)) for link in links],
            time.time_ns() - round(ago_s * 1_000_000_000),
            record_exception=False,
            set_status_on_exception=False,
        )
        return _OtelSpan(self, span)

    def close(self) -> None:
        """Exports what is left, for at most two seconds; blocks meanwhile."""
        self._export.close()


class _OtelSpan(Span):
    __slots__ = ("_before", "_context", "_is_failed", "_span", "_tracer")

    def __init__(self, tracer: OtelTracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span
        own = span.get_span_context()
        self._context = TraceContext(own.trace_id.to_bytes(16, "big"), own.span_id.to_bytes(8, "big"))
        self._before: Span | None = None
        self._is_failed = False

    @property
    @override
    def context(self) -> TraceContext:
        return self._context

    @override
    def begin(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        *,
        links: Sequence[TraceContext] = (),
        attributes: Attributes | None = None,
    ) -> Span:
        return self._tracer.begin(name, kind, parent=self._context, links=links, attributes=attributes)

    @override
    def describe(self, name: str | None = None, attributes: Attributes | None = None) -> None:
        if name is not None:
            self._span.update_name(name)
        if attributes:
            self._span.set_attributes(attributes)

    @override
    def fail(self, reason: str) -> None:
        self._is_failed = True
        self._span.set_attribute(_ERROR_TYPE, reason)
        self._span.set_status(Status(StatusCode.ERROR, reason))

    @override
    def end(self) -> None:
        if self._span.is_recording():
            self._span.end()

    @override
    def __enter__(self) -> Self:
        self._before = current_span()
        bind_span(self)
        return self

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        bind_span(self._before)
        # Whoever failed it knows the reason better. A generator that is closed early has done what was wanted of it.
        if error is not None and not self._is_failed and not isinstance(error, GeneratorExit):
            # The words of an error may hold what a trace must not.
            self.fail(error.reason if isinstance(error, ServiceError) else type(error).__name__)
        self.end()


def _to_otel(context: TraceContext) -> SpanContext:
    return SpanContext(
        int.from_bytes(context.trace_id, "big"),
        int.from_bytes(context.span_id, "big"),
        is_remote=True,
        trace_flags=_SAMPLED,
    )


def open_tracer(
    settings: TracingSettings, endpoint: str, ratio: float, resource: Attributes, metrics: SpanMetrics
) -> OtelTracer:
    """A tracer that exports to an endpoint; the caller closes it."""
    # Its failures are counted and logged once here, and not for each batch.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    session = requests.Session()
    # Neither proxies nor credentials from the environment.
    session.trust_env = False
    exporter = OTLPSpanExporter(
        endpoint,
        certificate_file=None if settings.authorities is None else str(settings.authorities),
        headers=dict(settings.headers),
        timeout=EXPORT_TIMEOUT_S,
        compression=Compression.Gzip,
        session=session,
    )
    sampling = Sampling(ratio, settings.most_per_s, limited=metrics.limited)
    return OtelTracer(sampling, SpanExport(exporter, metrics), resource)
