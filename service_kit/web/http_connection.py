"""One HTTP/1.1 connection: uvicorn's protocol on httptools, with the edges of HTTP kept and every wait bounded.

The parser is llhttp, which is strict and fast; nothing here parses HTTP. What llhttp and uvicorn leave open is closed
here (docs/decisions/0031):

- An `Upgrade` is never taken. httptools then skips the request's body and would read it as the next request, so the
  parsed head is given, without its upgrade, to a fresh parser, and the octets that follow it are the body again.
- Heads are bounded in octets, fields and seconds; so are bodies that nobody reads any more and answers nobody takes.
- Trailer fields are dropped.
- What is refused is answered after the requests before it, in the words that the server's owner chose.
- A client that closes its sending side still gets its answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, cast

import httptools
import uvicorn
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from service_kit import reasons

MAX_HEAD_OCTETS: Final = 32_768
"""Of a request line with its header fields."""
MAX_HEAD_FIELDS: Final = 100
HEAD_TIMEOUT_S: Final = 20.0
"""From the connection, or the first octet of a later request, to the end of the request's head."""
REST_TIMEOUT_S: Final = 30.0
"""How long the rest of a body may take that was answered before it was read to its end."""
STALL_TIMEOUT_S: Final = 30.0
"""How long a client may take nothing of an answer that waits for it."""
LINGER_S: Final = 2.0
"""How long a refused client may go on sending; cutting the connection at once could destroy the answer."""

_FRAMING_PER_OCTET: Final = 16
"""Octets of chunk sizes and extensions for each octet of a body; chunks of one octet need 5."""
_REFUSED_AT_ONCE: Final = 64
"""Connections beyond the bound that are answered 503; more are cut."""
_HOST: Final = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:%\[\]-]*")
_HOP_BY_HOP: Final = frozenset({b"upgrade", b"http2-settings"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request, or a connection, is refused before the application sees it."""

    status: int
    reason: str
    """Stable word, for programs."""
    detail: str
    """What is wrong and what to do about it, for a person."""


HEAD_TOO_LARGE: Final = Refusal(
    431,
    reasons.HEAD_TOO_LARGE,
    f"the request line and its headers have more than {MAX_HEAD_OCTETS:,} bytes or more than {MAX_HEAD_FIELDS} "
    "fields; send fewer or shorter headers",
)
HEAD_TIMEOUT: Final = Refusal(
    408,
    reasons.HEAD_TIMEOUT,
    f"the request line and its headers did not arrive within {HEAD_TIMEOUT_S:g} s; nothing was done, send it again",
)
TOO_MANY_CONNECTIONS: Final = Refusal(
    503, reasons.TOO_MANY_CONNECTIONS, "as many connections are open as may be; nothing was done, try again shortly"
)
_FRAMING: Final = Refusal(
    400, reasons.MALFORMED_REQUEST, "the chunks of the body have far more framing than content; send larger chunks"
)
_CUT_SHORT: Final = Refusal(
    400, reasons.MALFORMED_REQUEST, "the body ended before it was whole; nothing was done, send all of it"
)
_HOSTS: Final = Refusal(400, reasons.MALFORMED_REQUEST, "a request has exactly one valid Host header; send it")
_CODING: Final = Refusal(
    501,
    reasons.UNSUPPORTED_TRANSFER_CODING,
    "the only transfer coding taken is `chunked`; send the body as it is, with its Content-Length or in chunks",
)
_OLD_CODING: Final = Refusal(
    400, reasons.MALFORMED_REQUEST, "HTTP/1.0 has no Transfer-Encoding; send a Content-Length, or speak HTTP/1.1"
)
_VERSION: Final = Refusal(
    505, reasons.HTTP_VERSION_NOT_SUPPORTED, "this port speaks HTTP/1.1 (and 1.0); HTTP/2 needs a proxy in front"
)
_METHOD: Final = Refusal(
    400,
    reasons.MALFORMED_REQUEST,
    "what was sent does not begin with a method of HTTP; behind a body, its Content-Length was too small",
)
_CONNECT: Final = Refusal(501, reasons.METHOD_NOT_IMPLEMENTED, "CONNECT is for proxies, and this is none")

Rendered = tuple[Sequence[tuple[bytes, bytes]], bytes]
"""Headers of an answer, without its length, and the body."""


def as_text(refusal: Refusal) -> Rendered:
    """A refusal in plain text."""
    return [(b"content-type", b"text/plain; charset=utf-8")], f"{refusal.detail}\n".encode()


class ServerConfig(uvicorn.Config):
    """uvicorn's configuration, with what connections need to know beyond it."""

    max_connections: int
    """More are refused, unless one that waits for a request can make room."""
    refused: Callable[[Refusal], Rendered]
    """Renders what is refused before the application sees it."""
    tls: ssl.SSLContext | None
    """None for plaintext."""
    releases: bool
    """Whether each answer is the last one of its connection."""


class _RefusedError(Exception):
    """Stops the parser inside a callback."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


class HttpConnection(HttpToolsProtocol):
    """Reads requests, hands them to the application, and answers in their order."""

    config: ServerConfig

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._ends_at: float | None = None
        """On the loop's clock: when what is waited for has not come by then, the connection ends."""
        self._in_head = False
        self._head_octets = 0
        """Of reads that brought no end of a head yet."""
        self._read_octets = 0
        """The size of the read that is being parsed."""
        self._framing = 0
        """Octets of reads within the current body, less those of the body."""
        self._body_octets = 0
        self._skips_body = False
        """The parser is past the head of a request that asks for an upgrade, and about to stop."""
        self._refusal: Refusal | None = None
        """Set once: nothing more is read, and this is the last answer."""
        self._running: RequestResponseCycle | None = None
        """The request that the application has, or had last."""
        self._is_ended = False
        """The client has closed its sending side."""
        self._waits_since = 0.0
        self._unsent = 0
        self._unsent_since = 0.0

    # What the server asks of it.

    @property
    def idle_rank(self) -> tuple[bool, float] | None:
        """The least of all connections is the first to be closed for lack of room; None while a request is answered."""
        if self._is_answering():
            return None
        return self._last is not None, self._waits_since

    def release(self) -> None:
        """Has the connection end with the answer that it is working on, if that has not begun yet, or with the next."""
        last = self._last
        if last is not None and not last.response_started:
            last.keep_alive = False

    def enforce(self, now: float) -> None:
        """Ends the connection when it has kept the server waiting for too long. Called every second."""
        if self.transport.is_closing() and not self.transport.get_write_buffer_size():
            return
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent < self._unsent or not self._unsent:
            self._unsent_since = now
        elif now - self._unsent_since >= STALL_TIMEOUT_S:
            self.transport.abort()
            return
        self._unsent = unsent
        if self._ends_at is None or now < self._ends_at:
            return
        if self._in_head and self._refusal is None:
            self._refuse(HEAD_TIMEOUT)
        elif not self.transport.is_closing():
            # Nobody asked anything: an answer might be taken for that to a request that is just leaving.
            self.transport.close()

    # asyncio.Protocol.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._waits_since = self.loop.time()
        self._ends_at = self._waits_since + HEAD_TIMEOUT_S
        if len(self.connections) > self.config.max_connections and not self._make_room():
            if len(self.connections) > self.config.max_connections + _REFUSED_AT_ONCE:
                transport.abort()
            else:
                self._refuse(TOO_MANY_CONNECTIONS)

    def data_received(self, data: bytes) -> None:
        """A read has brought octets."""
        if self._refusal is not None:
            return
        self._unset_keepalive_if_required()
        began_in_head, cycle = self._in_head, self._last
        began_in_body = cycle is not None and cycle.more_body
        self._read_octets = len(data)
        body_before = self._body_octets
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            self._refuse(_refusal(error))
            return
        if self._in_head:
            if began_in_head:
                self._head_octets += len(data)
                if self._head_octets > MAX_HEAD_OCTETS:
                    self._refuse(HEAD_TOO_LARGE)
                    return
        elif began_in_body and cycle is self.cycle and cycle.more_body:
            self._framing += len(data) - (self._body_octets - body_before)
            if self._framing > MAX_HEAD_OCTETS + _FRAMING_PER_OCTET * self._body_octets:
                self._refuse(_FRAMING)
                return
        if self._ends_at is None and not self._is_answering():
            self._ends_at = self.loop.time() + HEAD_TIMEOUT_S

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """True, which keeps the sending side open, when there is an answer to give."""
        if self._refusal is not None or self.scheme == "https":
            return self._is_answering() and self.scheme != "https"
        self._is_ended = True
        last = self._last
        if last is None or last.response_complete:
            return None
        if last.more_body:
            self._refuse(_CUT_SHORT)
            return not self.transport.is_closing()
        # What may have been begun of another head is dropped.
        self._in_head = False
        last.keep_alive = False
        return True

    # What the parser found.

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._head_octets = True, 0
        self._framing = self._body_octets = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field, of the head or behind the body."""
        # Fields behind a body are never merged with those before it: a proxy that sets headers does not see them.
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._read_octets + self._head_octets > MAX_HEAD_OCTETS or len(self.headers) > MAX_HEAD_FIELDS:
            octets = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if octets > MAX_HEAD_OCTETS or len(self.headers) > MAX_HEAD_FIELDS:
                raise _RefusedError(HEAD_TOO_LARGE)
        self._check_head()
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise _RefusedError(_CONNECT)
            self._skips_body = True
            return
        self._in_head = False
        self._ends_at = None
        super().on_headers_complete()
        if self.config.releases:
            self.release()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body_octets += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._skips_body:
            return
        super().on_message_complete()
        if self.cycle.response_complete:
            # The rest of a body that was answered early has come.
            self.cycle.more_body = False
            self._ends_at = None

    # What uvicorn reports.

    def on_response_complete(self) -> None:
        """An answer is written."""
        super().on_response_complete()
        if self.transport.is_closing() or self._is_answering():
            return
        self._waits_since = self.loop.time()
        if self._refusal is not None:
            self._write_refusal()
        elif self._in_head:
            self._ends_at = self._waits_since + HEAD_TIMEOUT_S
        elif self.cycle.more_body:
            if self.expect_100_continue and not self._body_octets:
                # Nobody can tell whether the client sends the body all the same.
                self.transport.close()
            self._ends_at = self._waits_since + REST_TIMEOUT_S

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    # How it does so.

    def _feed(self, data: bytes) -> None:
        rest = memoryview(data)
        while True:
            try:
                # httptools takes any buffer, which its annotations do not say.
                self.parser.feed_data(cast("bytes", rest))
            except httptools.HttpParserUpgrade as upgrade:
                self._skips_body = False
                rest = rest[upgrade.args[0] :]
                head = self._head_without_upgrade()
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                self.parser.feed_data(head)
            else:
                return

    def _head_without_upgrade(self) -> bytes:
        """The head that was parsed last, as a client writes it that wants no upgrade."""
        version = self.parser.get_http_version().encode()
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        for name, value in self.headers:
            if name == b"connection":
                kept = [token for token in value.split(b",") if token.strip().lower() not in _HOP_BY_HOP]
                if kept:
                    lines.append(b"connection: " + b",".join(kept))
            elif name not in _HOP_BY_HOP:
                lines.append(name + b": " + value)
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def _check_head(self) -> None:
        version = self.parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            raise _RefusedError(_VERSION)
        hosts = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
                if not _HOST.fullmatch(value):
                    raise _RefusedError(_HOSTS)
            elif name == b"transfer-encoding":
                if version == "1.0":
                    raise _RefusedError(_OLD_CODING)
                if value.lower() != b"chunked":
                    raise _RefusedError(_CODING)
        if hosts > 1 or (hosts == 0 and version == "1.1"):
            raise _RefusedError(_HOSTS)

    def _make_room(self) -> bool:
        """Cuts the connection that has waited longest for a request; False when all have one."""
        idle = [
            (rank, id(one), one)
            for one in self.connections
            if isinstance(one, HttpConnection) and one is not self and (rank := one.idle_rank) is not None
        ]
        if not idle:
            return False
        longest = min(idle)[2]
        longest.transport.abort()
        # It counts no more, even before the loop has closed it.
        self.connections.discard(longest)
        return True

    @property
    def _last(self) -> RequestResponseCycle | None:
        """The request that was begun last; None before the first."""
        # uvicorn's annotation leaves the None out.
        return cast("RequestResponseCycle | None", self.cycle)

    def _is_answering(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def _refuse(self, refusal: Refusal) -> None:
        """Reads nothing more, and answers once the requests before are answered."""
        self._refusal = refusal
        self._in_head = False
        cycle = self._last
        if cycle is not None and cycle.more_body and not cycle.response_complete:
            # This very request is at fault: the application learns that nothing more comes of it.
            if cycle.response_started:
                self.transport.close()
                return
            cycle.disconnected = True
            cycle.response_complete = True
            cycle.message_event.set()
            if self.pipeline and self.pipeline[0][0] is cycle:
                self.pipeline.popleft()
        if not self._is_answering():
            self._write_refusal()

    def _write_refusal(self) -> None:
        refusal = cast("Refusal", self._refusal)
        self._unset_keepalive_if_required()
        headers, body = self.config.refused(refusal)
        lines = [b"HTTP/1.1 %d %s" % (refusal.status, HTTPStatus(refusal.status).phrase.encode())]
        lines += [name + b": " + value for name, value in (*self.server_state.default_headers, *headers)]
        lines += [b"content-length: %d" % len(body), b"connection: close", b"", body]
        self.transport.write(b"\r\n".join(lines))
        self._ends_at = self.loop.time() + LINGER_S
        if self._is_ended or self.scheme == "https":
            self.transport.close()
        else:
            with contextlib.suppress(OSError, RuntimeError):
                self.transport.write_eof()


def _refusal(error: httptools.HttpParserError) -> Refusal:
    cause = error.__context__
    if isinstance(cause, _RefusedError):
        return cause.refusal
    if isinstance(error, httptools.HttpParserInvalidMethodError):
        return _METHOD
    if isinstance(error, httptools.HttpParserCallbackError):
        return Refusal(
            400, reasons.MALFORMED_REQUEST, "the target of the request is not a path; write it like /api/sms/send"
        )
    # The words are the parser's own and quote nothing of the request.
    return Refusal(400, reasons.MALFORMED_REQUEST, f"the request is not HTTP/1.1 as RFC 9112 defines it: {error}")
