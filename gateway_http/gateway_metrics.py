"""The figures of the gateway, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, get_args

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.registry import CollectorRegistry
from starlette.routing import Route
from typing_extensions import override

from gateway_http.shared.gateway_meters import CredentialMeter, Refused, RequestMeter, SendMeter
from gateway_http.sms.sms_operations import SEND_SMS, SEND_SMS_BATCH
from service_kit.grpc.grpc_metrics import CallMeter
from service_kit.metrics.buckets import LATENCY_BUCKETS_S, SIZE_BUCKETS
from service_kit.metrics.exemplars import exemplar

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NO_ROUTE: Final = "none"


class RequestMetrics(RequestMeter):
    """Implements RequestMeter. Every label has few values: routes are templates, and a strange method is `other`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._count = Counter(
            "tukupay_http_requests",
            "HTTP requests by documented route and status class; `none` where no route or no answer was.",
            ("method", "route", "status_class"),
            registry=registry,
        )
        self._seconds = Histogram(
            "tukupay_http_request_seconds",
            "From the first line of an HTTP request to the end of its answer.",
            ("route",),
            registry=registry,
            buckets=LATENCY_BUCKETS_S,
        )
        # Looking up a child by its labels costs more than all the rest of counting.
        self._counts: dict[tuple[str, str | None, int], Counter] = {}
        self._times: dict[str | None, Histogram] = {}

    def show(self, routes: Iterable[Route]) -> None:
        """Shows the failures of all routes, and all answers to sends, with a nought, so that the first is a rise."""
        for route in routes:
            for method in _METHODS & (route.methods or set()) - {"HEAD"}:
                self._count_of(method, route.path_format, 500)
        for send in (SEND_SMS, SEND_SMS_BATCH):
            for status in (200, 400, 500):
                self._count_of(send.method.upper(), send.path, status)
            self._time_of(send.path)

    @override
    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        self._count_of(method, route, status).inc()
        self._time_of(route).observe(seconds, exemplar())

    def _count_of(self, method: str, route: str | None, status: int) -> Counter:
        key = (method if method in _METHODS else "other", route, status // 100)
        count = self._counts.get(key)
        if count is None:
            status_class = f"{key[2]}xx" if key[2] else "none"
            count = self._counts[key] = self._count.labels(key[0], route or _NO_ROUTE, status_class)
        return count

    def _time_of(self, route: str | None) -> Histogram:
        time_of = self._times.get(route)
        if time_of is None:
            time_of = self._times[route] = self._seconds.labels(route or _NO_ROUTE)
        return time_of


class SendMetrics(SendMeter):
    """Implements SendMeter; counts once a batch, not once a send."""

    def __init__(self, registry: CollectorRegistry, calls: CallMeter) -> None:
        self._registry = registry
        self._calls = calls
        self._items = Histogram(
            "tukupay_send_batch_items",
            "Sends that travelled together in one call to messaging.",
            registry=registry,
            buckets=SIZE_BUCKETS,
        )
        self._waited = Histogram(
            "tukupay_send_batch_wait_seconds",
            "How long the first send of a batch waited for the others.",
            registry=registry,
            buckets=LATENCY_BUCKETS_S,
        )
        self._turned_away = Counter(
            "tukupay_sends_turned_away", "Sends answered 429 because too many were under way.", registry=registry
        )

    def watch(self, outstanding: Callable[[], int]) -> None:
        """Shows how many sends are under way, asked at each scrape."""
        Gauge(
            "tukupay_sends_outstanding", "Sends that wait for a batch or for its answer now.", registry=self._registry
        ).set_function(outstanding)

    @override
    def launched(self, items: int, waited_s: float) -> None:
        self._items.observe(items)
        self._waited.observe(waited_s)

    @override
    def batch_ended(self, code: str, seconds: float) -> None:
        self._calls.ended("MessagingService/SendSmsBatch", code, seconds)

    @override
    def turned_away(self) -> None:
        self._turned_away.inc()


class CredentialMetrics(CredentialMeter):
    """Implements CredentialMeter. Those that are let in are counted as requests, like all others."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._refused = Counter(
            "tukupay_http_credentials_refused",
            "Requests refused for their credential, by cause.",
            ("cause",),
            registry=registry,
        )
        for cause in get_args(Refused):
            self._refused.labels(cause)

    @override
    def credential_refused(self, cause: Refused) -> None:
        self._refused.labels(cause).inc()
