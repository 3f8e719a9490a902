"""A name server on a loopback port: what a headless Service is to its callers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from dnslib import QTYPE, RR, A
from dnslib.server import DNSLogger, DNSServer


class NameServer:
    """Answers A questions with whatever the names lead to at that moment, for one second."""

    def __init__(self, addresses: Callable[[str], Sequence[str]], port: int) -> None:
        """`addresses`: IPv4 addresses by name, without the dot at its end; none for an unknown one."""
        self._addresses = addresses
        quiet = DNSLogger("-recv,-send,-request,-reply,-truncated,-data")
        self._server = DNSServer(self, address="127.0.0.1", port=port, logger=quiet)
        self.port = port

    def __enter__(self) -> Self:
        self._server.start_thread()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self._server.server.server_close()

    def resolve(self, request: Any, _handler: object) -> Any:
        """Called by dnslib for each question."""
        reply = request.reply()
        if request.q.qtype == QTYPE.A:
            name = str(request.q.qname).removesuffix(".")
            for address in self._addresses(name):
                reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A(address), ttl=1))
        return reply
