"""Takes spans that ended to the receiver of traces, on a thread of its own: nobody who ends a span ever waits."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

import structlog
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from typing_extensions import override

from service_kit.tracing.span_metrics import EXPORT_FAILED, QUEUE_FULL, STOPPED, SpanMetrics

MAX_QUEUE: Final = 2_048
MAX_BATCH: Final = 512
EVERY_S: Final = 1.0
"""How long a span waits for others that go with it."""
CLOSE_S: Final = 2.0
"""How long the end of the process waits for the last spans."""
_UNDISTURBED: Final = 0.75
"""The part of that time in which a receiver that fails is tried again."""

log = structlog.get_logger()


class SpanExport(SpanProcessor):
    """Queues at most MAX_QUEUE spans and drops those that come while it is full, as when the receiver is down.

    What is exported or dropped is counted. The log says when the receiver begins to fail, and when it is back.
    """

    def __init__(self, exporter: SpanExporter, metrics: SpanMetrics, *, every_s: float = EVERY_S) -> None:
        self._exporter = exporter
        self._metrics = metrics
        self._every_s = every_s
        self._queue: deque[ReadableSpan] = deque()
        self._wake = threading.Event()
        self._is_closing = False
        self._is_failing = False
        # A receiver that stands still must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="span export", daemon=True)
        self._thread.start()

    @override
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        pass

    @override
    def on_end(self, span: ReadableSpan) -> None:
        if self._is_closing or len(self._queue) >= MAX_QUEUE:
            self._metrics.dropped[STOPPED if self._is_closing else QUEUE_FULL]()
            return
        self._queue.append(span)
        if len(self._queue) >= MAX_BATCH:
            self._wake.set()

    @override
    def shutdown(self) -> None:
        self.close()

    @override
    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return not self._queue

    def close(self, within_s: float = CLOSE_S) -> None:
        """Exports what is queued, as far as the time allows, and counts the rest as dropped; blocks meanwhile."""
        if self._is_closing:
            return
        self._is_closing = True
        self._wake.set()
        self._thread.join(within_s * _UNDISTURBED)
        # Ends the pauses between tries, if it is in one.
        self._exporter.shutdown()
        self._thread.join(within_s * (1 - _UNDISTURBED))
        if left := len(self._queue):
            self._queue.clear()
            self._metrics.dropped[STOPPED](left)

    def _run(self) -> None:
        while not self._is_closing or self._queue:
            if not self._is_closing and len(self._queue) < MAX_BATCH:
                self._wake.wait(self._every_s)
                self._wake.clear()
            if self._queue:
                self._export([self._queue.popleft() for _ in range(min(MAX_BATCH, len(self._queue)))])

    def _export(self, spans: list[ReadableSpan]) -> None:
        try:
            taken = self._exporter.export(spans) is SpanExportResult.SUCCESS
        except Exception as error:  # noqa: BLE001 - whatever the exporter stumbles over costs these spans alone
            log.warning("tracing.export_crashed", error=type(error).__name__)
            taken = False
        if taken:
            self._metrics.exported(len(spans))
        else:
            self._metrics.dropped[EXPORT_FAILED](len(spans))
        if taken is self._is_failing:
            self._is_failing = not taken
            log.log(20 if taken else 30, "tracing.exports_again" if taken else "tracing.export_fails")
