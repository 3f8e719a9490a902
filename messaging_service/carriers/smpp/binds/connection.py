"""One SMPP link: octets in, PDUs out, and the PDUs of one loop turn written together."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import Final, cast

from messaging_service.carriers.smpp.codec.framing import FrameReader, PduError
from messaging_service.carriers.smpp.codec.pdu import GENERIC_NACK, RESPONSE, Header, bare, header_of
from messaging_service.carriers.smpp.codec.status import Status

MAX_UNSENT: Final = 4 * 1024 * 1024
"""Octets kept for a peer that does not read; past that its link is cut."""
CLOSE_GRACE_S: Final = 1.0
"""Seconds that a faulty peer gets to read the last answers, and one that unbound to close the link."""


class Connection(asyncio.Protocol):
    """The half of a session that both ends share; a subclass says what each PDU means."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = FrameReader()
        self._outgoing: list[bytes] = []
        self._outgoing_octets = 0
        self._flush_due = False
        self._paused = False
        self.fault = ""
        """Why this end cut the link; empty while it did not."""

    @abstractmethod
    def handle(self, header: Header, pdu: bytes) -> None:
        """Acts on one PDU. Raises PduError when it is garbage, which closes the link."""

    @abstractmethod
    def link_lost(self, reason: str) -> None:
        """Called once when the link is gone, with a sentence on why."""

    def flushed(self) -> None:
        """Called when all that was sent so far is with the operating system or its buffer."""

    def end_of_read(self) -> None:
        """Called after all PDUs of one read were handled."""

    @property
    def is_open(self) -> bool:
        """Whether PDUs can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        # cast and not isinstance: uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._transport = None
        self._outgoing.clear()
        self.link_lost(self.fault or (f"{type(exc).__name__}" if exc else "closed by the peer"))

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        pdus = self._reader.feed(data)
        try:
            for pdu in pdus:
                self.handle(header_of(pdu), pdu)
        except PduError as error:
            self.cut(f"garbage from the peer: {error}")
            return
        if self._reader.broken:
            self.send(bare(GENERIC_NACK, 0, Status.ESME_RINVCMDLEN))
            self.cut("garbage from the peer: a PDU of an impossible length")
            return
        self.end_of_read()

    def send(self, pdu: bytes) -> None:
        """Sends a PDU at the end of this turn of the loop, together with its neighbours."""
        self._outgoing.append(pdu)
        if not self._flush_due and not self._paused:
            self._flush_due = True
            self._loop.call_soon(self._flush)
        elif self._paused:
            self._outgoing_octets += len(pdu)
            if self._outgoing_octets > MAX_UNSENT:
                self.cut("the peer does not read")

    def not_understood(self, header: Header) -> None:
        """Answers a request that this end has no meaning for; an answer is passed over in silence."""
        if not header.command & RESPONSE:
            self.send(bare(GENERIC_NACK, header.sequence, Status.ESME_RINVCMDID))

    def cut(self, fault: str) -> None:
        """Closes the link for a fault of the peer, once what was sent is out or cannot get out."""
        if not self.fault:
            self.fault = fault
        self.close()
        if self._transport is not None:
            # close() waits until the peer has read what is buffered, which a stuck peer never does.
            self._loop.call_later(CLOSE_GRACE_S, self.abort, fault)

    def close(self) -> None:
        """Sends what is waiting and closes the link."""
        if self._transport is None:
            return
        self._flush()
        if self._paused:
            self._transport.abort()
        else:
            self._transport.close()

    def abort(self, fault: str) -> None:
        """Closes the link at once, whatever is still waiting."""
        if not self.fault:
            self.fault = fault
        if self._transport is not None:
            self._transport.abort()

    def pause_writing(self) -> None:
        """Called by the event loop."""
        self._paused = True
        self._outgoing_octets = 0

    def resume_writing(self) -> None:
        """Called by the event loop."""
        self._paused = False
        self._flush()

    def _flush(self) -> None:
        self._flush_due = False
        if not self._outgoing or self._paused or self._transport is None or self._transport.is_closing():
            return
        outgoing, self._outgoing = self._outgoing, []
        self._transport.write(outgoing[0] if len(outgoing) == 1 else b"".join(outgoing))
        self.flushed()
