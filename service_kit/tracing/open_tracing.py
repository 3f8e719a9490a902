"""Puts tracing together, where the settings of a process ask for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client.registry import CollectorRegistry

from service_kit.tracing.span_metrics import SpanMetrics
from service_kit.tracing.tracer import Tracer
from service_kit.tracing.tracing_settings import TracingSettings
from service_kit.version import VERSION

if TYPE_CHECKING:
    from service_kit.tracing.otel_tracer import OtelTracer

NAMESPACE: Final = "tukupay-sms"

log = structlog.get_logger()


class Tracing:
    """The tracer of a process, and its end."""

    def __init__(self, otel: OtelTracer | None) -> None:
        self._otel = otel

    @property
    def tracer(self) -> Tracer | None:
        """None where tracing is off."""
        return self._otel

    async def close(self) -> None:
        """Exports the last spans, for at most two seconds."""
        if self._otel is not None:
            await asyncio.to_thread(self._otel.close)


def open_tracing(
    settings: TracingSettings, registry: CollectorRegistry, *, service: str, instance: str, ratio: float = 0.0
) -> Tracing:
    """Begins to trace when there is an endpoint; what becomes of spans is counted in any case.

    `service` and `instance` name the process to the receiver, no two running ones alike. `ratio`: the part of the
    requests that are traced although nobody asked for it, 0 to 1.
    """
    metrics = SpanMetrics(registry)
    if settings.endpoint is None:
        return Tracing(None)
    from service_kit.tracing.otel_tracer import open_tracer  # noqa: PLC0415 - slow to import, and seldom needed

    resource = {
        "service.namespace": NAMESPACE,
        "service.name": service,
        "service.version": VERSION,
        "service.instance.id": instance,
    }
    log.info("tracing.on", sample_ratio=ratio, most_per_s=settings.most_per_s)
    return Tracing(open_tracer(settings, settings.endpoint, ratio, resource, metrics))
