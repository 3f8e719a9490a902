"""Counts fan-out, deliveries to webhooks, and alerts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.registry import CollectorRegistry
from typing_extensions import override

from messaging_service.notices.domain.alert_conditions import AlertKind
from messaging_service.notices.domain.endpoints import TRY_ERRORS
from messaging_service.notices.notice_meters import AlertMeter, DeliveryMeter
from messaging_service.notices.notice_state import NoticeState
from messaging_service.shared.gauge_poller import LookMeter

_TAKEN: Final = "TAKEN"
_OTHER: Final = "OTHER"
_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)


class NoticeMetrics(DeliveryMeter, AlertMeter, LookMeter[NoticeState]):
    """The figures of webhooks and alerts, and of what waits."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds, monotonic."""
        self._clock = clock
        self._looked_at = -math.inf
        self._alerts_looked_at = -math.inf
        self._events = Counter(
            "tukupay_webhook_events_told", "Events read for webhooks of their accounts.", registry=registry
        )
        self._recorded = Counter(
            "tukupay_webhook_deliveries_recorded", "Deliveries recorded of these events.", registry=registry
        )
        self._tries = Counter(
            "tukupay_webhook_tries", "Posts to webhooks, by outcome.", ("outcome",), registry=registry
        )
        self._seconds = Histogram(
            "tukupay_webhook_post_seconds",
            "From the look-up of the name to the end of the answer.",
            registry=registry,
            buckets=_SECONDS,
        )
        self._given_up = Counter(
            "tukupay_webhook_given_up",
            "Deliveries that ended without being taken, but for those of deleted webhooks.",
            registry=registry,
        )
        self._disabled = Counter(
            "tukupay_webhook_disabled", "Webhooks disabled because they answered 410.", registry=registry
        )
        self._deliveries = Gauge(
            "tukupay_webhook_deliveries_waiting",
            "Deliveries of all processes, counted up to 10,000.",
            ("state",),
            registry=registry,
        )
        self._oldest_due = Gauge(
            "tukupay_webhook_oldest_due_seconds",
            "How long the oldest delivery that may be sent has been due; 0 when there is none.",
            registry=registry,
        )
        self._fan_out_lag = Gauge(
            "tukupay_webhook_telling_lag_seconds",
            "Age of the oldest event of a message that was not read for webhooks yet; 0 when there is none.",
            registry=registry,
        )
        self._endpoints = Gauge(
            "tukupay_webhook_endpoints", "Webhooks, counted up to 10,000.", ("state",), registry=registry
        )
        Gauge(
            "tukupay_webhook_look_age_seconds",
            "Time since deliveries and alerts were last counted; infinite before.",
            registry=registry,
        ).set_function(lambda: self._clock() - self._looked_at)
        self._raised = Counter("tukupay_alerts_raised", "Alerts raised.", ("kind",), registry=registry)
        self._resolved = Counter("tukupay_alerts_resolved", "Alerts resolved.", ("kind",), registry=registry)
        self._open = Gauge(
            "tukupay_alerts_open", "Alerts that are not resolved, counted up to 10,000.", ("kind",), registry=registry
        )
        Gauge(
            "tukupay_alert_look_age_seconds",
            "Time since any process evaluated the rules of alerts; infinite before.",
            registry=registry,
        ).set_function(lambda: self._clock() - self._alerts_looked_at)
        # At 0 from the start, so that the first one shows as an increase.
        for outcome in (_TAKEN, *TRY_ERRORS):
            self._tries.labels(outcome)
        for kind in AlertKind:
            self._raised.labels(kind.value)
            self._resolved.labels(kind.value)

    @override
    def fanned_out(self, events: int, deliveries: int) -> None:
        self._events.inc(events)
        self._recorded.inc(deliveries)

    @override
    def tried(self, error: str | None, took_s: float) -> None:
        outcome = _TAKEN if error is None else error
        self._tries.labels(outcome if error is None or error in TRY_ERRORS else _OTHER).inc()
        self._seconds.observe(took_s)

    @override
    def given_up(self, deliveries: int) -> None:
        self._given_up.inc(deliveries)

    @override
    def disabled(self) -> None:
        self._disabled.inc()

    @override
    def evaluated(self, raised: Mapping[AlertKind, int], resolved: Mapping[AlertKind, int]) -> None:
        for kind, number in raised.items():
            self._raised.labels(kind.value).inc(number)
        for kind, number in resolved.items():
            self._resolved.labels(kind.value).inc(number)

    @override
    def looked(self, state: NoticeState) -> None:
        self._looked_at = self._clock()
        self._alerts_looked_at = self._looked_at - state.alerts_looked_s
        self._deliveries.labels("due").set(state.deliveries_due)
        self._deliveries.labels("held").set(state.deliveries_held)
        self._oldest_due.set(state.oldest_due_s)
        self._fan_out_lag.set(state.fan_out_lag_s)
        self._endpoints.labels("well").set(state.endpoints_well)
        self._endpoints.labels("failing").set(state.endpoints_failing)
        self._endpoints.labels("disabled").set(state.endpoints_disabled)
        for kind in AlertKind:
            self._open.labels(kind.value).set(state.alerts_open.get(kind, 0))
