"""How far texts are under keys, and what retention erased."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Counter, Gauge
from prometheus_client.registry import CollectorRegistry
from typing_extensions import override

from messaging_service.privacy.convert_rows import ConversionMeter, Converted
from messaging_service.privacy.text_retention import RetentionMeter


class PrivacyMetrics(ConversionMeter, RetentionMeter):
    """Implements ConversionMeter and RetentionMeter."""

    def __init__(self, registry: CollectorRegistry, tables: Sequence[str]) -> None:
        """`tables`: those that are converted, shown from the start."""
        self._converted = Counter(
            "tukupay_privacy_converted_rows",
            "Rows stored in plain that this process put under keys.",
            ("table",),
            registry=registry,
        )
        self._caught_up = Gauge(
            "tukupay_privacy_conversion_caught_up",
            "1 once every row of the table was looked at; 0 before, and where texts are stored as they are.",
            ("table",),
            registry=registry,
        )
        self._erased = Counter("tukupay_privacy_erased_texts", "Texts that retention erased.", registry=registry)
        self._destroyed = Counter(
            "tukupay_privacy_destroyed_keys", "Data keys that retention destroyed.", registry=registry
        )
        for table in tables:
            self._converted.labels(table)
            self._caught_up.labels(table).set(0)

    @override
    def stepped(self, table: str, done: Converted) -> None:
        if done.rows:
            self._converted.labels(table).inc(done.rows)
        if done.caught_up:
            self._caught_up.labels(table).set(1)

    @override
    def erased(self, texts: int) -> None:
        self._erased.inc(texts)

    @override
    def destroyed(self, keys: int) -> None:
        self._destroyed.inc(keys)
