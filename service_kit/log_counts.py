"""Counts what a process logs about failures, so that every one of them can be seen in its metrics, too.

Logs belong to the process as a whole, and so do these counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

FAILING_LEVELS: Final = ("warning", "error", "critical")
REFUSALS: Final = frozenset({"rpc.refused", "batch_item.refused", "price.refused", "http.refused", "http.problem"})
"""Events whose `reason` is one of the catalogue; reasons of others may be any text."""
_WATCHED_REFUSALS: Final = (
    ("rpc.refused", "DATABASE_NOT_READY"),
    ("rpc.refused", "DATABASE_UNAVAILABLE"),
    ("batch_item.refused", "DATABASE_NOT_READY"),
    ("batch_item.refused", "DATABASE_UNAVAILABLE"),
)
"""Shown from the start with a nought: those that alerts are about."""
LIBRARY: Final = "library"
"""In the place of what libraries log, whose lines are no stable names."""


class LogCounts(Collector):
    """How often each event was logged as a warning or worse, and how often each reason was given for a refusal."""

    def __init__(self) -> None:
        self._lines: Counter[str] = Counter(dict.fromkeys(FAILING_LEVELS, 0))
        self._failures: Counter[str] = Counter()
        self._refusals: Counter[tuple[str, str]] = Counter(dict.fromkeys(_WATCHED_REFUSALS, 0))

    def count(self, level: str, event: Mapping[str, Any]) -> None:
        """Counts one line; `event` has at least its name, as `event`."""
        name = str(event["event"])
        if level in self._lines:
            self._lines[level] += 1
            self._failures[name] += 1
        if name in REFUSALS:
            self._refusals[name, str(event.get("reason", ""))] += 1

    def count_library(self, level: str) -> None:
        """Counts one line of a library."""
        self.count(level, {"event": LIBRARY})

    def collect(self) -> Iterator[Metric]:
        """The counts; levels and watched reasons have a nought from the start, so that the first failure is a rise."""
        lines = CounterMetricFamily(
            "tukupay_log_lines", "Lines of the log that tell of failures, by level.", labels=("level",)
        )
        for level, count in list(self._lines.items()):
            lines.add_metric((level,), count)
        failures = CounterMetricFamily("tukupay_failures", "The same lines, by their event.", labels=("event",))
        for name, count in list(self._failures.items()):
            failures.add_metric((name,), count)
        refusals = CounterMetricFamily(
            "tukupay_refusals", "Requests, items and questions that were refused.", labels=("event", "reason")
        )
        for labels, count in list(self._refusals.items()):
            refusals.add_metric(labels, count)
        yield from (lines, failures, refusals)


LOGGED: Final = LogCounts()
"""Of this process."""
