"""The pricing service with a bare echo beside it, and a clock around both, for `resolve_price.py`.

The echo is a method of the same gRPC server, behind the same interceptors: it takes bytes and gives them back, or
gives as many as ResolvePrice does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from array import array
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import uvloop

from pricing_service.bootstrap import running
from pricing_service.settings import PricingSettings
from pricing_service.transport import price_now
from pricing_service.transport.servicer import PricingServicer
from pricing_service.use_cases.price_book import PriceBook
from pricing_service.use_cases.resolve_now import ResolveNow
from service_kit.logs import configure_logs
from service_kit.settings import Address

SERVICE = "benchmark.Echo"
ANSWER = bytes(200)
"""As many bytes as an answer of ResolvePrice has."""

Handler = Callable[[Any, Any], Awaitable[bytes]]


class Clock:
    """How long each call took from its first to its last step in the handler, waiting for other calls included."""

    def __init__(self) -> None:
        self._seconds = array("d")

    def around(self, handler: Handler) -> Handler:
        """The handler, timed."""

        async def timed(request: Any, context: Any) -> bytes:  # noqa: ANN401 - any request
            begin = time.perf_counter()
            try:
                return await handler(request, context)
            finally:
                self._seconds.append(time.perf_counter() - begin)

        return timed

    def take(self) -> dict[str, float]:
        """Count and percentiles, in milliseconds, since the last time."""
        seconds = sorted(self._seconds)
        self._seconds = array("d")
        if not seconds:
            return {"count": 0}
        at = {f"p{share}": seconds[min(len(seconds) - 1, len(seconds) * share // 100)] for share in (50, 95, 99)}
        return {"count": len(seconds), **{name: round(value * 1_000, 4) for name, value in at.items()}}


async def serve(url: str) -> None:
    """Serves until its input ends; prints the port first."""
    clocks = {"echo": Clock(), "same": Clock(), "resolve": Clock()}
    _time_resolve_price(clocks["resolve"])

    async def echo(request: bytes, _context: object) -> bytes:
        return request

    async def same(_request: bytes, _context: object) -> bytes:
        return ANSWER

    async def report(_request: bytes, _context: object) -> bytes:
        return json.dumps({name: clock.take() for name, clock in clocks.items()}).encode()

    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Echo": grpc.unary_unary_rpc_method_handler(clocks["echo"].around(echo)),
        "Same": grpc.unary_unary_rpc_method_handler(clocks["same"].around(same)),
        "Report": grpc.unary_unary_rpc_method_handler(report),
    }
    settings = PricingSettings(database_url=url, grpc_address=Address("127.0.0.1", 0))
    async with running(settings) as server:
        server.grpc.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


def _time_resolve_price(clock: Clock) -> None:
    """Puts the clock around the method that the service registers."""
    original = price_now._resolve_price  # noqa: SLF001 - the innermost place there is

    def timed(book: PriceBook[bytes], resolve_now: ResolveNow, others: PricingServicer) -> Handler:
        return clock.around(original(book, resolve_now, others))

    price_now._resolve_price = timed  # noqa: SLF001 - as above


if __name__ == "__main__":
    configure_logs("pricing", "WARNING")
    uvloop.run(serve(sys.argv[1]))
