"""The figures of the pricing service, for Prometheus."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from pricing_service.use_cases.price_book import PriceBook
from pricing_service.use_cases.watch_prices import PriceWatch


class PriceBookCollector(Collector):
    """Reads the book and its watch at each scrape; costs callers nothing."""

    def __init__(self, book: PriceBook[Any], watch: PriceWatch) -> None:
        self._book = book
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        """The figures of the book."""
        book, watch = self._book, self._watch
        yield GaugeMetricFamily("tukupay_price_book_tiers", "Tiers held in memory.", book.size)
        yield GaugeMetricFamily("tukupay_price_book_capacity_tiers", "Tiers that memory may hold.", book.capacity)
        yield GaugeMetricFamily(
            "tukupay_price_book_epoch",
            "Changes of the price book that what is held reflects; NaN before the first look.",
            math.nan if book.epoch is None else book.epoch,
        )
        yield GaugeMetricFamily(
            "tukupay_price_book_staleness_seconds",
            "Time since the book was last brought up to date; infinite before.",
            book.age_s,
        )
        yield GaugeMetricFamily("tukupay_price_watchers", "Streams that follow changes now.", watch.watchers)
        yield CounterMetricFamily(
            "tukupay_price_look_failures", "Looks for changes that failed; each ends the streams.", watch.failures
        )
