"""Spans of receipts whose messages are sampled: they go on where the trace of the submit ended, maybe hours before."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self
from uuid import UUID

from messaging_service.shared.domain.message import outbox_id
from service_kit.postgres.pipeline import Rows, Statement, Step
from service_kit.tracing.span import Span, SpanKind
from service_kit.tracing.trace_context import from_octets
from service_kit.tracing.tracer import Tracer

NAME: Final = "process receipt"
# The newest event that has a trace is that of the submit, or of a receipt before this one.
_LOOK_UP: Final = Statement("""
    SELECT DISTINCT ON (message_id) message_id, trace_id FROM message_event
    WHERE message_id = ANY(%(ids)s::uuid[]) AND trace_id IS NOT NULL ORDER BY message_id, id DESC
""")


class ReceiptSpans:
    """Those of one pass over the inbox. They end with the block, once the pass is committed or failed."""

    def __init__(self, tracer: Tracer | None) -> None:
        """`tracer`: None where tracing is off; then there are none, and no question to the database."""
        self._tracer = tracer
        self._began = time.monotonic()
        self._spans: dict[UUID, Span] = {}

    def look_up(self, ids: Sequence[UUID]) -> list[Step]:
        """What a trip needs besides, to know which messages are sampled."""
        return [] if self._tracer is None else [_LOOK_UP(ids=ids)]

    def begin(self, found: Sequence[Rows]) -> None:
        """Begins the spans of the messages that were looked up."""
        for message_id, octets in (row for rows in found for row in rows):
            parent = from_octets(octets)
            if self._tracer is not None and parent is not None:
                self._spans[message_id] = self._tracer.begin(
                    NAME,
                    SpanKind.CONSUMER,
                    parent=parent,
                    links=(parent,),
                    attributes={"messaging.operation.type": "process", "messaging.message.id": outbox_id(message_id)},
                    ago_s=time.monotonic() - self._began,
                )

    def moved(self, message_id: UUID, state: str) -> bytes | None:
        """Notes to which state a message goes; its span as it is stored, None when it is not sampled."""
        span = self._spans.get(message_id)
        if span is None:
            return None
        span.describe(attributes={"tukupay.state": state})
        return span.context.octets

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for span in self._spans.values():
            if kind is not None:
                span.fail(kind.__name__)
            span.end()
