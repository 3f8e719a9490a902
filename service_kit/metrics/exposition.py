"""Serves the figures of a process on an address of its own, in the format that the scraper asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import structlog
from prometheus_client import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send

from service_kit.metrics.loop_lag import LoopLag
from service_kit.settings import Address
from service_kit.web.http_server import HttpServer

PATH: Final = "/metrics"
_OPENMETRICS: Final = b"application/openmetrics-text"

log = structlog.get_logger()


@asynccontextmanager
async def metrics_served(address: Address | None, registry: CollectorRegistry) -> AsyncIterator[None]:
    """Serves the registry at /metrics of the address, with the lag of the present event loop.

    None serves and measures nothing. Raises OSError when the address is taken.
    """
    if address is None:
        yield
        return
    http = HttpServer(address, metrics_app(registry), drain_s=0)
    await http.start()
    log.info("metrics.listening", address=address.host, port=http.port)
    lag = LoopLag(registry)
    lag.start()
    try:
        yield
    finally:
        lag.stop()
        await http.stop()


def metrics_app(registry: Collector) -> ASGIApp:
    """Answers GET and HEAD of /metrics, and nothing else: as OpenMetrics, with exemplars, when that is asked for.

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
            write, content_type = _format(scope)
            await _answer(send, 200, write(shown), (b"vary", b"accept"), content_type=content_type)

    return app


def _format(scope: Scope) -> tuple[Callable[[Collector], bytes], str]:
    """What writes the figures for a scraper, and the content type of that: OpenMetrics for who names it."""
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept").lower()
    for choice in accepted.split(b","):
        kind, *parameters = (part.strip() for part in choice.split(b";"))
        if kind == _OPENMETRICS and not any(_is_refusal(each) for each in parameters):
            return partial(openmetrics.generate_latest, version="1.0.0"), openmetrics.CONTENT_TYPE_LATEST
    return generate_latest, CONTENT_TYPE_PLAIN_0_0_4


def _is_refusal(parameter: bytes) -> bool:
    """Whether it is a weight of nothing, such as `q=0.0`."""
    name, _, value = parameter.partition(b"=")
    return name == b"q" and not value.strip(b"0.")


class _WithoutCreationTimes(Collector):
    """Leaves out the time at which each series began, which the library adds: a third of the text, for nobody."""

    def __init__(self, inner: Collector) -> None:
        self._inner = inner

    def collect(self) -> Iterator[Metric]:
        for metric in self._inner.collect():
            if metric.type in {"counter", "histogram"}:
                metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


async def _answer(
    send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes], content_type: str = "text/plain"
) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type.encode()),
                (b"content-length", b"%d" % len(body)),
                (b"cache-control", b"no-store"),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
