"""The figures of a process for Prometheus: one registry, served on an address of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from prometheus_client import GCCollector, Metric, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send

from service_kit.log_counts import LOGGED
from service_kit.settings import Address
from service_kit.web.http_server import HttpServer

PATH: Final = "/metrics"

LATENCY_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds for how long something took: from a call in memory to the longest deadline."""
SIZE_BUCKETS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_000.0)
"""Upper bounds for how many items went together."""

log = structlog.get_logger()


def new_registry() -> CollectorRegistry:
    """A registry with the figures of the process itself: memory, CPU, file descriptors, garbage collector, failures.

    The code that builds the service hands it to what measures; there is no registry at import.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(LOGGED)
    return registry


@asynccontextmanager
async def metrics_served(address: Address | None, registry: CollectorRegistry) -> AsyncIterator[None]:
    """Serves the registry at /metrics of the address; None serves nothing. Raises OSError when it is taken."""
    if address is None:
        yield
        return
    http = HttpServer(address, metrics_app(registry), drain_s=0)
    await http.start()
    log.info("metrics.listening", address=address.host, port=http.port)
    try:
        yield
    finally:
        await http.stop()


def metrics_app(registry: Collector) -> ASGIApp:
    """Answers GET and HEAD of /metrics in the text format, and nothing else.

    A scrape reads what is in memory: some milliseconds of the loop, and no call to a database or a service.
    """
    shown = _WithoutCreationTimes(registry)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        if scope["type"] != "http":
            raise RuntimeError(f"metrics are served over HTTP only, not {scope['type']}")
        if scope["path"] != PATH:
            await _answer(send, 404, f"there is nothing here; the metrics are at {PATH}\n".encode())
        elif scope["method"] not in {"GET", "HEAD"}:
            await _answer(send, 405, b"this path takes GET\n", (b"allow", b"GET, HEAD"))
        else:
            await _answer(send, 200, generate_latest(shown))

    return app


class _WithoutCreationTimes(Collector):
    """Leaves out the time at which each series began, which the library adds: a third of the text, for nobody."""

    def __init__(self, inner: Collector) -> None:
        self._inner = inner

    def collect(self) -> Iterator[Metric]:
        for metric in self._inner.collect():
            if metric.type in {"counter", "histogram"}:
                metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


async def _answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", CONTENT_TYPE_PLAIN_0_0_4.encode() if status == 200 else b"text/plain"),
                (b"content-length", b"%d" % len(body)),
                (b"cache-control", b"no-store"),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
