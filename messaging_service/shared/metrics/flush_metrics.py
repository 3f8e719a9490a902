"""What is flushed together: how much, how long it waits, how long it takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.registry import CollectorRegistry
from typing_extensions import override

from messaging_service.shared.commit_meter import CommitMeter
from messaging_service.shared.group_commit import GroupCommit
from service_kit.metrics.buckets import LATENCY_BUCKETS_S, SIZE_BUCKETS
from service_kit.postgres.error_counts import DatabaseErrors


class FlushMetrics:
    """The figures of every group commit; counts once a flush, not once an item."""

    def __init__(self, registry: CollectorRegistry, errors: DatabaseErrors) -> None:
        """`errors` are those of the process, which has those of flushes by their names."""
        self._errors = errors
        self._items = Histogram(
            "tukupay_flush_items",
            "Items that were flushed together.",
            ("flush",),
            registry=registry,
            buckets=SIZE_BUCKETS,
        )
        self._waited = Histogram(
            "tukupay_flush_wait_seconds",
            "How long the first item of a flush waited for it.",
            ("flush",),
            registry=registry,
            buckets=LATENCY_BUCKETS_S,
        )
        self._took = Histogram(
            "tukupay_flush_seconds",
            "How long a flush that succeeded took.",
            ("flush",),
            registry=registry,
            buckets=LATENCY_BUCKETS_S,
        )
        self._turned_away = Counter(
            "tukupay_flush_turned_away",
            "Items refused with RESOURCE_EXHAUSTED, as too many waited.",
            ("flush",),
            registry=registry,
        )
        self._waiting = Gauge("tukupay_flush_waiting", "Items that wait now.", ("flush",), registry=registry)
        self._oldest = Gauge(
            "tukupay_flush_oldest_seconds",
            "Age of the oldest item that waits or is being flushed; 0 when there is none.",
            ("flush",),
            registry=registry,
        )
        self._limit = Gauge(
            "tukupay_flush_limit_items", "Items that the next flush may have.", ("flush",), registry=registry
        )

    def of(self, flush: str) -> FlushMeter:
        """The meter of one group commit, by its name."""
        return FlushMeter(
            self._items.labels(flush),
            self._waited.labels(flush),
            self._took.labels(flush),
            self._turned_away.labels(flush),
            partial(self._errors.note, flush),
        )

    def watch(self, flush: str, commits: GroupCommit[Any, Any]) -> None:
        """Shows the queue of a group commit, asked at each scrape."""
        self._waiting.labels(flush).set_function(lambda: commits.waiting)
        self._oldest.labels(flush).set_function(lambda: commits.oldest_s)
        self._limit.labels(flush).set_function(lambda: commits.limit)


class FlushMeter(CommitMeter):
    """Implements CommitMeter."""

    def __init__(
        self,
        items: Histogram,
        waited: Histogram,
        took: Histogram,
        turned_away: Counter,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._failed = failed
        self._items = items
        self._waited = waited
        self._took = took
        self._turned_away = turned_away

    @override
    def flushed(self, items: int, waited_s: float, took_s: float) -> None:
        self._items.observe(items)
        self._waited.observe(waited_s)
        self._took.observe(took_s)

    @override
    def failed(self, error: Exception) -> None:
        self._failed(error)

    @override
    def turned_away(self) -> None:
        self._turned_away.inc()
