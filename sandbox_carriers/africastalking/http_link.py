"""One HTTP connection of the sandbox, which can also break the rules of HTTP on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, cast

import httptools
from typing_extensions import override

MAX_BODY_BYTES: Final = 1 << 20


@dataclass(slots=True)
class HttpRequest:
    """A request, whole."""

    method: str = ""
    path: str = ""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytearray = field(default_factory=bytearray)


Serve = Callable[["HttpLink", HttpRequest], Awaitable[None]]


class HttpLink(asyncio.Protocol):
    """Reads one request after another, and gives each to `serve`, which answers it by this link."""

    def __init__(self, serve: Serve, closed: Callable[[HttpLink], None]) -> None:
        self._serve = serve
        self._closed = closed
        self._parser = httptools.HttpRequestParser(self)
        self._request = HttpRequest()
        self._url = b""
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None

    # What a request's handler does.

    @property
    def is_open(self) -> bool:
        """Whether somebody is there to read an answer."""
        return self._transport is not None

    def answer(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        """Writes a whole answer."""
        self.write(head(status, content_type, len(body)) + body)

    def write(self, octets: bytes) -> None:
        """Writes octets as they are."""
        if self._transport is not None:
            self._transport.write(octets)

    def close(self) -> None:
        """Closes the connection after what was written has left."""
        if self._transport is not None:
            self._transport.close()

    def cut(self) -> None:
        """Closes the connection at once, as a failing network does."""
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol.

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not every loop's transport is an instance of asyncio's, but each of a TCP server does what one does.
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # httptools skips the body of a request that asks for an upgrade, and nothing of it is read as a request.
            self.close()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._task is not None:
            self._task.cancel()
        self._closed(self)

    # What the parser found.

    def on_message_begin(self) -> None:
        """A request begins."""
        self._request, self._url = HttpRequest(), b""

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._request.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._request.body += body
        if len(self._request.body) > MAX_BODY_BYTES:
            self.cut()

    def on_message_complete(self) -> None:
        """The request is whole."""
        request = self._request
        request.method = self._parser.get_method().decode("latin-1")
        request.path, _, request.query = self._url.decode("latin-1").partition("?")
        self._task = asyncio.get_running_loop().create_task(self._run(request))

    async def _run(self, request: HttpRequest) -> None:
        await self._serve(self, request)


def head(status: int, content_type: str, length: int) -> bytes:
    """The status line and headers of an answer."""
    reason = HTTPStatus(status).phrase
    return (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n"
    ).encode()
