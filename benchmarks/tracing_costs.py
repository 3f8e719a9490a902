"""What tracing adds to a send, by the pieces of code that it passes; processor time, without a system.

`python benchmarks/tracing_costs.py`. The receiver is one that is not there, so nothing is exported.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client.registry import CollectorRegistry
from starlette.types import Scope
from typing_extensions import override

from gateway_http.openapi.route_access import RouteAccess
from gateway_http.shared.admission import OpenAdmission
from gateway_http.shared.asserted_caller import Caller
from gateway_http.shared.request_tracing import TracedAdmission, request_answered, request_begun
from gateway_http.sms.sms_operations import SEND_SMS
from service_kit.tracing.open_tracing import open_tracing
from service_kit.tracing.span import SpanKind, current_span
from service_kit.tracing.tracing_settings import TracingSettings

ROUNDS: Final = 7
CALLS: Final = 10_000
HEADERS: Final = [
    (b"host", b"127.0.0.1:8080"),
    (b"user-agent", b"python-httpx/0.28"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"connection", b"keep-alive"),
    (b"authorization", b"Bearer tk_live_00000000_" + b"0" * 43),
    (b"content-type", b"application/json"),
    (b"content-length", b"151"),
]
UNSAMPLED: Final = (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")


class _Same(OpenAdmission):
    @override
    async def admit(self, scope: Scope, access: RouteAccess) -> Caller | None:
        return None


def scope(*more: tuple[bytes, bytes]) -> Scope:
    """A request to send, with these header fields besides."""
    return {"type": "http", "method": "POST", "scheme": "http", "path": "/api/sms/send", "headers": [*HEADERS, *more]}


async def best_us(step: Callable[[], Awaitable[object]]) -> float:
    """Processor time of one step in µs: the least of some rounds."""
    found = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(CALLS):
            await step()
        found.append((time.process_time() - begun) / CALLS * 1e6)
    return min(found)


async def main() -> None:
    """Prints what each way costs."""
    settings = TracingSettings(endpoint="http://127.0.0.1:9/v1/traces")
    tracing = open_tracing(settings, CollectorRegistry(), service="bench", instance="bench", ratio=0.0)
    sampling = open_tracing(settings, CollectorRegistry(), service="bench", instance="bench", ratio=1e-9)
    assert tracing.tracer is not None
    assert sampling.tracer is not None
    plain, plain_scope, marked = _Same(), scope(), scope(UNSAMPLED)
    off, on, ratio = plain, TracedAdmission(plain, tracing.tracer), TracedAdmission(plain, sampling.tracer)

    async def request(admission: OpenAdmission | TracedAdmission, of: Scope) -> None:
        request_begun(of, 0.0)
        await admission.admit(of, SEND_SMS.access)
        # The coalescer, the flushes of T1, T2 and prices, the attempt and the carrier's template each ask once.
        for _ in range(6):
            current_span()
        request_answered(of, "/api/sms/send", 200)

    base = await best_us(lambda: plain.admit(plain_scope, SEND_SMS.access))
    for name, admission, of in (
        ("tracing off", off, plain_scope),
        ("on, no traceparent, ratio 0", on, plain_scope),
        ("on, no traceparent, a ratio", ratio, plain_scope),
        ("on, traceparent not sampled", on, marked),
    ):
        print(f"{name:32} {await best_us(lambda a=admission, o=of: request(a, o)) - base:6.2f} µs a send")  # type: ignore[misc]

    tracer = tracing.tracer

    async def span() -> None:
        with tracer.begin("submit", SpanKind.CLIENT, attributes={"messaging.message.id": "outbox_1", "a": 1}):
            pass

    print(f"{'a span that is sampled':32} {await best_us(span):6.2f} µs")
    links = [tracer.begin("x", SpanKind.INTERNAL).context for _ in range(64)]

    async def linked() -> None:
        with tracer.begin("flush", SpanKind.CLIENT, links=links):
            pass

    print(f"{'a span with 64 links':32} {await best_us(linked):6.2f} µs")


if __name__ == "__main__":
    asyncio.run(main())
