"""A gRPC server with health, reflection, error mapping and a graceful end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from google.protobuf import descriptor_pool
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from service_kit.access.method_rules import rules_of
from service_kit.grpc.access_control import (
    INSPECTION,
    PUBLIC,
    AccessControl,
    Authenticator,
    Denied,
    open_to_all,
    unnoted,
)
from service_kit.grpc.access_metrics import Refused, uncounted
from service_kit.grpc.context import Context
from service_kit.grpc.grpc_errors import ErrorInterceptor
from service_kit.grpc.grpc_malformed import MalformedRequests
from service_kit.grpc.registered_methods import RegisteredMethods
from service_kit.grpc.request_ids import RequestIds
from service_kit.grpc.server_credentials import server_credentials
from service_kit.settings import Address

if TYPE_CHECKING:
    # Slow to import, and only needed by programs that use TLS, which have it already.
    from service_kit.tls.watched_tls import WatchedTls

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""A batch of 1,000 messages of ten units with full metadata stays below it."""

NEWS_S = 0.1
_STARTING = "the service is starting"
_ENDING = "the service is ending"
LIVE = "live"
"""Serves for as long as the event loop runs, until the server is about to end: what a probe may ask that restarts a
process, and what callers watch to leave in time."""

SERVER_OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Two servers on one port would split the calls silently; a taken port must be an error.
    ("grpc.so_reuseport", 0),
    # Callers move to new replicas within minutes, as connections end now and then.
    ("grpc.max_connection_age_ms", 300_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


class _Health(health.aio.HealthServicer):  # type: ignore[misc]  # ships no annotations
    """Health whose watches end when the server drains, instead of holding it up for the whole grace."""

    def __init__(self) -> None:
        super().__init__()
        self._watches: set[asyncio.Task[None]] = set()

    async def Watch(  # noqa: N802 - the name of the RPC
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> None:
        watch = asyncio.ensure_future(super().Watch(request, context))
        self._watches.add(watch)
        try:
            await asyncio.wait({watch})
            if not watch.cancelled():
                watch.result()
        finally:
            watch.cancel()
            self._watches.discard(watch)

    @property
    def is_watched(self) -> bool:
        """Whether anybody hears of a change."""
        return bool(self._watches)

    async def drain(self) -> None:
        """Reports to all watchers that the server is going, then ends the watches."""
        await self.enter_graceful_shutdown()
        if self._watches:
            # A moment, so that the watches still carry the news.
            await asyncio.wait(self._watches, timeout=NEWS_S)
        for watch in self._watches:
            watch.cancel()


class GrpcServer:
    """Serves gRPC services on one address and reports their health."""

    def __init__(
        self,
        address: Address,
        service_names: Iterable[str],
        outer: Sequence[aio.ServerInterceptor] = (),
        *,
        inner: Sequence[aio.ServerInterceptor] = (),
        authenticate: Authenticator = open_to_all,
        refused: Refused = uncounted,
        denied: Denied = unnoted,
        inspectable: bool = True,
        tls: WatchedTls | None = None,
        failed: Callable[[BaseException], object] = lambda _error: None,
    ) -> None:
        """`service_names` are full names (`package.Service`) for health, reflection and the rules of access.

        `outer`: interceptors around the one that turns failures into statuses, the outermost first. `inner`: those of
        calls that are let in. `authenticate`
        finds out who calls; `refused` is called with the cause when a rule refuses them, `denied` with who was denied
        what. `inspectable`: whether
        callers with the scope for it may list the methods by reflection. `tls`: the server's certificate, and the
        authorities of those of its callers; None for plaintext. `failed` is given what calls failed with. Raises
        RulesError when a method has no rule of access.
        """
        self._address = address
        self._tls = tls
        self._names = ("", *service_names)
        pool = descriptor_pool.Default()
        self._rules = rules_of(pool.FindServiceByName(name) for name in self._names[1:])
        access = AccessControl(authenticate, self._rules, refused, denied)
        self._inspectable = inspectable
        self._health = _Health()
        self._is_ending = False
        self.port = 0
        """The port in use, known after `start` when the address asked for port 0."""
        self.problem: str | None = _STARTING
        """Why calls are not welcome, in words; None while they are, as health checks are told."""
        self.grpc = aio.server(
            interceptors=[RequestIds(), *outer, ErrorInterceptor(failed), MalformedRequests(), access, *inner],
            options=SERVER_OPTIONS,
        )
        """The server to add servicers to, before `start`."""
        self._methods = RegisteredMethods(self.grpc)

    async def start(self) -> None:
        """Binds the port and begins to answer, NOT_SERVING until `set_serving` says otherwise.

        Raises OSError when the port is taken, and RulesError when a method was added that has no rule of access.
        """
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc)
        if self._inspectable:
            names = (*self._names[1:], health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self.grpc)
        self._methods.check({*self._rules, *PUBLIC, INSPECTION})
        await self.set_serving(False)
        await self._health.set(LIVE, health_pb2.HealthCheckResponse.SERVING)
        try:
            self.port = self._listen(str(self._address))
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self._address}: is another server there?") from error
        await self.grpc.start()

    def _listen(self, address: str) -> int:
        if self._tls is None:
            return self.grpc.add_insecure_port(address)
        return self.grpc.add_secure_port(address, server_credentials(self._tls))

    async def set_serving(self, serving: bool) -> None:
        """Sets what health checks answer: whether calls are welcome."""
        await self.report(None if serving else _STARTING)

    async def report(self, problem: str | None) -> None:
        """Sets what health checks answer: why calls are not welcome, in words; None when they are.

        Changes nothing once the server ends.
        """
        if self._is_ending:
            return
        self.problem = problem
        await self._tell()

    async def _tell(self) -> None:
        statuses = health_pb2.HealthCheckResponse
        status = statuses.SERVING if self.is_serving else statuses.NOT_SERVING
        for name in self._names:
            await self._health.set(name, status)

    @property
    def is_serving(self) -> bool:
        """Whether calls are welcome, as health checks are told."""
        return self.problem is None

    async def leave(self, within_s: float) -> None:
        """Says that the server is about to end, and goes on to answer calls until callers use others.

        A server that stops fails the calls that are just on their way to it, and nothing tells their callers whether
        they were begun. So callers watch LIVE, and send the next call elsewhere; they get `within_s` for that, and
        where nobody watches it returns at once.
        """
        await self._end()
        if self._health.is_watched:
            await asyncio.sleep(within_s)

    async def _end(self) -> None:
        if not self._is_ending:
            self._is_ending = True
            self.problem = _ENDING
            await self._tell()
            await self._health.set(LIVE, health_pb2.HealthCheckResponse.NOT_SERVING)

    async def stop(self, grace_s: float) -> None:
        """Turns new calls away at once and lets running ones end within the grace."""
        await self._end()
        await self._health.drain()
        await self.grpc.stop(grace_s)
