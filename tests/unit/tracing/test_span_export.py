"""Nobody waits for the receiver of traces, and what is lost is counted."""

from __future__ import annotations

import asyncio
import time

import pytest
from opentelemetry.trace import StatusCode
from prometheus_client.registry import CollectorRegistry

from service_kit.errors import Kind, ServiceError
from service_kit.request_id import for_nobody
from service_kit.tracing.otel_tracer import OtelTracer
from service_kit.tracing.span import SpanKind, current_octets, current_span, trace_metadata
from service_kit.tracing.span_export import MAX_QUEUE
from tests.doubles.recorded_spans import recording


def end_spans(tracer: OtelTracer, number: int) -> None:
    for _ in range(number):
        tracer.begin("work", SpanKind.INTERNAL).end()


def dropped(registry: CollectorRegistry, cause: str) -> float | None:
    return registry.get_sample_value("tukupay_trace_spans_dropped_total", {"cause": cause})


def test_a_full_queue_drops_and_counts() -> None:
    registry = CollectorRegistry()
    with recording(registry=registry) as (tracer, exporter):
        exporter.may.clear()
        end_spans(tracer, 1)
        assert exporter.begun.wait(10)
        end_spans(tracer, MAX_QUEUE + 7)
        assert dropped(registry, "queue_full") == 7
        exporter.may.set()
    assert len(exporter.taken) == MAX_QUEUE + 1 == registry.get_sample_value("tukupay_trace_spans_exported_total")
    assert exporter.is_shut


def test_a_receiver_that_stands_still_holds_up_no_end() -> None:
    registry = CollectorRegistry()
    with recording(registry=registry) as (tracer, exporter):
        exporter.may.clear()
        end_spans(tracer, 1)
        assert exporter.begun.wait(10)
        end_spans(tracer, 3)
        begun = time.monotonic()
        tracer._export.close(0.2)
        assert time.monotonic() - begun < 1
        assert dropped(registry, "stopped") == 3
        end_spans(tracer, 1)
        assert dropped(registry, "stopped") == 4


def test_an_error_fails_a_span_by_its_reason_and_never_by_its_words() -> None:
    with recording() as (tracer, exporter):
        with pytest.raises(ServiceError), tracer.begin("one", SpanKind.INTERNAL):
            raise ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "of +254712345678")
        with pytest.raises(ValueError, match="254"), tracer.begin("two", SpanKind.INTERNAL):
            raise ValueError("+254712345678")
    assert [(one.status.status_code, one.status.description) for one in exporter.taken] == [
        (StatusCode.ERROR, "DATABASE_UNAVAILABLE"),
        (StatusCode.ERROR, "ValueError"),
    ]
    assert not [event for one in exporter.taken for event in one.events]


async def test_work_for_many_belongs_to_no_span() -> None:
    async def seen() -> object:
        return current_span()

    with recording() as (tracer, _), tracer.begin("request", SpanKind.SERVER) as span:
        assert current_octets() == span.context.octets
        assert trace_metadata() == (("traceparent", span.context.traceparent),)
        assert await asyncio.create_task(seen()) is span
        assert await asyncio.get_running_loop().create_task(seen(), context=for_nobody()) is None
    assert (current_span(), current_octets(), trace_metadata()) == (None, None, ())
