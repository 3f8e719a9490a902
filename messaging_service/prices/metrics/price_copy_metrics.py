"""How well the copy of the price book serves, and how old it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from messaging_service.prices.domain.price_copy import PriceCopy, Tally

_TEXTS: Final = {
    "hits": "Prices given while the copy was fresh.",
    "stale": "Prices given after the watch broke, within the bound.",
    "misses": "Questions without a usable answer in the copy.",
    "outdated": "Questions whose answer was too stale to be used.",
    "calls": "Direct calls to the price book.",
    "failures": "Direct calls that it did not answer.",
    "refused": "Questions refused, as the price book did not answer: their sends failed, and nothing is held.",
    "changes": "Rows that the watch reported.",
    "resets": "How often all answers were forgotten.",
    "breaks": "How often the watch ended.",
}


class PriceCopyCollector(Collector):
    """Reads what the copy counts anyway, at each scrape; costs sends nothing."""

    def __init__(self, copy: PriceCopy) -> None:
        self._copy = copy

    def collect(self) -> Iterator[Metric]:
        """The figures of the copy."""
        copy = self._copy
        for count in fields(Tally):
            yield CounterMetricFamily(
                f"tukupay_price_copy_{count.name}", _TEXTS[count.name], getattr(copy.tally, count.name)
            )
        yield GaugeMetricFamily("tukupay_price_copy_answers", "Prices kept.", len(copy))
        yield GaugeMetricFamily(
            "tukupay_price_copy_watch_open", "1 while a watch of the price book is open.", copy.is_watched
        )
        yield GaugeMetricFamily(
            "tukupay_price_copy_fresh",
            "1 while a change would be heard of; 0 also when a watch is silent.",
            copy.is_fresh,
        )
        yield GaugeMetricFamily(
            "tukupay_price_copy_staleness_seconds",
            "Time since the last word of the watch; NaN before the first.",
            copy.age_s if math.isfinite(copy.age_s) else math.nan,
        )
        yield GaugeMetricFamily(
            "tukupay_price_copy_stale_bound_seconds", "How stale a price may be and still be used.", copy.stale_s
        )
        yield GaugeMetricFamily(
            "tukupay_price_copy_epoch",
            "The state of the price book that the copy reflects; NaN before the first word of a watch.",
            math.nan if copy.epoch is None else copy.epoch,
        )
