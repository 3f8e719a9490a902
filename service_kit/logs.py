"""Logs are events with stable keys: JSON lines, or colours on a terminal."""

from __future__ import annotations

import logging
import sys
from typing import Protocol, TextIO, cast

import structlog

from service_kit.log_counts import LOGGED
from service_kit.request_id import current
from service_kit.tracing.span import current_span


class Raw(Protocol):
    """A file without a buffer."""

    def write(self, data: bytes, /) -> int | None:
        """Writes some of it; how much. Raises OSError."""
        ...


class LogStream:
    """Takes lines for a file that may be full or gone: a log that cannot be written never ends the process.

    Says how many lines are missing as soon as one can be written again.
    """

    def __init__(self, raw: Raw, *, missing: str = '{"event": "log.lines_missing", "lines": %d}\n') -> None:
        """`missing`: what is written in the place of lines that could not be, with their number."""
        self._raw = raw
        self._missing = missing
        self._lost = 0
        self._is_cut = False

    def write(self, line: str) -> int:
        """Writes a whole line, with its end, or loses it."""
        note = ("\n" if self._is_cut else "") + self._missing % self._lost if self._lost else ""
        left = (note + line).encode("utf-8", "replace")
        whole = len(left)
        try:
            while left:
                left = left[self._raw.write(left) or 0 :]
        except OSError:
            self._lost += 1
            self._is_cut = self._is_cut or len(left) < whole
        else:
            self._lost, self._is_cut = 0, False
        return len(line)

    def flush(self) -> None:
        """Nothing waits."""


def _standard_output() -> LogStream:
    return LogStream(open(sys.stdout.fileno(), "wb", buffering=0, closefd=False))


def name_request(_logger: object, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Adds the `request_id` of the request that the present task works for, if any, and `trace_id` if it is sampled."""
    request_id = current()
    if request_id is not None:
        event.setdefault("request_id", request_id)
    span = current_span()
    if span is not None:
        event.setdefault("trace_id", span.context.trace_id.hex())
    return event


def configure_logs(service: str, level: str = "INFO") -> None:
    """Sends all logs of the process to standard output. Tracebacks are without local variables.

    Lines below `level` are left out, but count as what they tell of (`LOGGED`).
    """
    levels = {name.lower(): number for name, number in logging.getLevelNamesMapping().items()}
    least = levels[level.lower()]

    def counted(_logger: object, method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        LOGGED.count(method, event)
        if levels[method] < least:
            raise structlog.DropEvent
        return event

    def counted_of_library(_logger: object, method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        LOGGED.count_library(method)
        return event

    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        name_request,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.EventRenamer("event"),
    ]
    renderer: list[structlog.types.Processor]
    stream = _standard_output()
    if sys.stdout.isatty():
        renderer = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    else:
        renderer = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[counted, *shared, *renderer],
        # Refusals are lines at INFO.
        wrapper_class=structlog.make_filtering_bound_logger(min(least, logging.INFO)),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", stream)),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[counted_of_library, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.basicConfig(level="WARNING", handlers=[handler], force=True)
