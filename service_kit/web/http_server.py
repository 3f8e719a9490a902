"""An HTTP server inside the service's own event loop, with a clear error for a taken port."""

from __future__ import annotations

import asyncio
import contextlib
import math
import resource
import socket
import ssl
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override

from service_kit.duties.keep_running import keep_running
from service_kit.settings import Address, SettingsError
from service_kit.web.http_connection import HttpConnection, Refusal, Rendered, ServerConfig, as_text
from service_kit.web.http_tls import server_context
from service_kit.web.stop_accepting import stop_accepting

if TYPE_CHECKING:
    # Slow to import, and only needed by programs that use TLS, which have it already.
    from service_kit.tls.watched_tls import WatchedTls

LAST_ANSWERS_S = 5
"""How long requests that were given up may take to be answered."""
KEEP_ALIVE_S = 75
BACKLOG = 2_048
MAX_CONNECTIONS: Final = 4_096
HANDSHAKE_TIMEOUT_S: Final = 10.0
"""From the connection to the end of the handshake of TLS."""
GOODBYE_TIMEOUT_S: Final = 5.0
"""How long a client may take to end TLS in good order, before the connection is cut."""
_OTHER_DESCRIPTORS: Final = 128
"""What a process keeps open beside the connections of its HTTP server."""
_TICKS_PER_CHECK: Final = 10
"""uvicorn ticks ten times a second; connections are looked at once."""


class _EmbeddedServer(uvicorn.Server):
    """Leaves the signals of the process to the process, and ends connections that keep it waiting."""

    config: ServerConfig

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's, with a bound for handshakes, which are not connections of its own yet."""
        tls = self.config.tls
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                lambda: HttpConnection(self.config, self.server_state, {}),
                sock=listener,
                backlog=self.config.backlog,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else HANDSHAKE_TIMEOUT_S,
                ssl_shutdown_timeout=None if tls is None else GOODBYE_TIMEOUT_S,
            )
            for listener in sockets or ()
        ]
        self.started = True

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            await stop_accepting(server)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_PER_CHECK == 0:
            self.end_overdue(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def end_overdue(self, now: float) -> None:
        """Ends each connection that has kept the server waiting for too long; `now` is on the loop's clock."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, HttpConnection):
                connection.enforce(now)


class HttpServer:
    """Serves an ASGI application on one address."""

    def __init__(
        self,
        address: Address,
        app: ASGIApp,
        *,
        drain_s: float,
        max_connections: int = MAX_CONNECTIONS,
        refused: Callable[[Refusal], Rendered] = as_text,
        headers: Sequence[tuple[str, str]] = (),
        tls: WatchedTls | None = None,
    ) -> None:
        """`drain_s` is how long running requests may take to end once the server stops.

        `max_connections` is lowered to what the process may open. `refused` renders what is refused before the
        application sees it. `headers` are of every answer, refusals included. `tls`: the server's certificate; None
        for plaintext. Raises SettingsError for a certificate that OpenSSL does not take.
        """
        self._address = address
        config = ServerConfig(
            app,
            http=HttpConnection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            # The program that embeds the server has chosen the loop and the logs.
            loop="none",
            log_config=None,
            # Its warnings are about what clients send; they would let anybody fill the log.
            log_level="error",
            access_log=False,
            server_header=False,
            headers=list(headers),
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=math.ceil(drain_s) + LAST_ANSWERS_S,
        )
        config.max_connections = min(max_connections, _affordable_connections())
        config.refused = refused
        config.releases = False
        config.tls = None if tls is None else _context(tls)
        self._server = _EmbeddedServer(config)
        self._task: asyncio.Task[None] | None = None
        self.port = 0
        """The port in use, known after `start` when the address asked for port 0."""

    async def start(self) -> None:
        """Begins to accept; raises OSError when the address cannot be had."""
        listener = _bound(self._address)
        self.port = listener.getsockname()[1]
        self._task = keep_running(f"http on {self._address}", self._server.serve(sockets=[listener]), may_end=True)
        while not self._server.started:
            if self._task.done():
                await self._task
                raise OSError(f"cannot serve on {self._address}")
            await asyncio.sleep(0)

    def release(self) -> None:
        """Has each connection end with its next answer, which says so; new ones are still accepted.

        A client that is told does not send its next request into a connection that is just being closed.
        """
        self._server.config.releases = True
        for connection in list(self._server.server_state.connections):
            if isinstance(connection, HttpConnection):
                connection.release()

    async def stop(self) -> None:
        """Accepts nothing new, and returns when running requests have ended or were cut off."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


def _context(tls: WatchedTls) -> ssl.SSLContext:
    try:
        return server_context(tls)
    except ssl.SSLError as error:
        raise SettingsError(
            f"the files of TLS ({tls.use}) cannot be used: OpenSSL refuses them: {error.reason}"
        ) from None


def _affordable_connections() -> int:
    """How many connections the process may hold with the descriptors that it is allowed; half of them at least."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(soft - _OTHER_DESCRIPTORS, soft // 2, 1)


def _bound(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address.host, address.port))
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen on {address}: {error.strerror}; is another server there?") from error
    listener.setblocking(False)
    return listener
