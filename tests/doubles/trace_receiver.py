"""A receiver of traces on a real port: OTLP over HTTP, read by the published protos. It takes webhooks as well."""

from __future__ import annotations

import gzip
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

TRACES: Final = "/v1/traces"


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it came over the wire; ids in hexadecimal."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    """Empty for none."""
    links: frozenset[str]
    """The ids of the spans that it is linked to."""
    attributes: dict[str, Any]
    failure: str | None
    """The words of its status; None unless it is an error."""
    resource: dict[str, Any]


@dataclass
class TraceReceiver:
    """Keeps what came."""

    spans: list[ReceivedSpan] = field(default_factory=list)
    octets: bytearray = field(default_factory=bytearray)
    """All that was posted, unpacked."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """Of posts of spans."""
    hooks: list[dict[str, str]] = field(default_factory=list)
    """The header fields of posts to any other path."""
    tls: ssl.SSLContext | None = None
    """None for plain HTTP."""

    def __post_init__(self) -> None:
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                if self.path == TRACES:
                    kept.take(headers, body)
                else:
                    kept.hooks.append(headers)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._handler = Handler
        self._listen(0)

    def _listen(self, port: int) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler)
        self._server.daemon_threads = True
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def url(self, path: str = "") -> str:
        """Where it listens."""
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self._server.server_address[1]}{path}"

    def close(self) -> None:
        """Listens no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Listens no more meanwhile."""
        port = self._server.server_address[1]
        self.close()
        try:
            yield
        finally:
            self._listen(port)

    def take(self, headers: dict[str, str], body: bytes) -> None:
        """Reads one post of spans."""
        unpacked = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        self.octets += unpacked
        self.headers.append(headers)
        for resource in ExportTraceServiceRequest.FromString(unpacked).resource_spans:
            about = {pair.key: _value(pair.value) for pair in resource.resource.attributes}
            self.spans += [_read(span, about) for scope in resource.scope_spans for span in scope.spans]

    def of_trace(self, trace_id: str) -> dict[str, ReceivedSpan]:
        """The spans of a trace by their names; those of gRPC calls by name and kind."""
        found: dict[str, ReceivedSpan] = {}
        for span in self.spans:
            if span.trace_id == trace_id:
                name = f"{span.name} {span.kind}" if "rpc.method" in span.attributes else span.name
                assert name not in found, name
                found[name] = span
        return found


def _read(span: Span, resource: dict[str, Any]) -> ReceivedSpan:
    return ReceivedSpan(
        service=resource["service.name"],
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=frozenset(link.span_id.hex() for link in span.links),
        attributes={pair.key: _value(pair.value) for pair in span.attributes},
        failure=span.status.message if span.status.code == Status.STATUS_CODE_ERROR else None,
        resource=resource,
    )


def _value(value: AnyValue) -> Any:
    return getattr(value, value.WhichOneof("value") or "string_value")
