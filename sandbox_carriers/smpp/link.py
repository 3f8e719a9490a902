"""One client's link to the sandbox: the server's side of an SMPP session."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Protocol

from messaging_service.carriers.smpp.binds.connection import Connection
from messaging_service.carriers.smpp.codec.framing import PduError
from messaging_service.carriers.smpp.codec.pdu import (
    DELIVER_SM_RESP,
    ENQUIRE_LINK,
    ENQUIRE_LINK_RESP,
    GENERIC_NACK,
    INTERFACE_VERSION,
    MAX_SEQUENCE,
    RESPONSE,
    SUBMIT_SM,
    SUBMIT_SM_RESP,
    TLV_SC_INTERFACE_VERSION,
    UNBIND,
    UNBIND_RESP,
    Command,
    Header,
    bare,
    bind_in,
    message_id_answer,
    submit_sm_in,
    with_body,
)
from messaging_service.carriers.smpp.codec.status import OK, Status
from sandbox_carriers.smpp.network import Manner, Network
from sandbox_carriers.smpp.receipt_queue import Delivery

SYSTEM_ID: Final = b"sandbox\x00"
WRONG_PASSWORD: Final = "wrong"  # noqa: S105 - the one password that is refused
_BINDS: Final = {
    int(command): (command is not Command.BIND_RECEIVER, command is not Command.BIND_TRANSMITTER)
    for command in (Command.BIND_RECEIVER, Command.BIND_TRANSMITTER, Command.BIND_TRANSCEIVER)
}
_VERSION: Final = TLV_SC_INTERFACE_VERSION.to_bytes(2, "big") + bytes((0, 1, INTERFACE_VERSION))


class LinkOwner(Protocol):
    """What a link asks of the sandbox that it belongs to."""

    network: Network
    refuses_binds: bool

    def linked(self, link: Link) -> None:
        """A link was opened, bound or not."""
        ...

    def bound(self) -> None:
        """A client was bound."""
        ...

    def unlinked(self, link: Link) -> None:
        """A link is gone."""
        ...

    def changed(self) -> None:
        """Something that a test may wait for has happened."""
        ...


class Link(Connection):
    """Answers one client. Anybody may bind, with any password but `wrong`."""

    def __init__(self, owner: LinkOwner, slow_answer_s: float) -> None:
        super().__init__()
        self._owner = owner
        self._network = owner.network
        self._slow_answer_s = slow_answer_s
        self._sends = False
        self._receives = False
        self._sequence = 0
        self._submits_in_read = 0
        self._unanswered = 0
        self.system_id = ""
        """Who is bound; empty before the bind."""
        self.in_flight: dict[int, Delivery] = {}

    @property
    def is_bound(self) -> bool:
        """Whether a client is bound by this link."""
        return self._sends or self._receives

    @property
    def outstanding(self) -> int:
        """Submits that came and are not answered."""
        return self._unanswered

    def deliver(self, delivery: Delivery) -> None:
        """Sends a receipt or a reply; it is in flight until the client answers it."""
        self._sequence = self._sequence % MAX_SEQUENCE + 1
        self.in_flight[self._sequence] = delivery
        self.send(delivery.encode(self._sequence, time.time()))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        super().connection_made(transport)
        self._owner.linked(self)

    def pause_writing(self) -> None:
        """Called by the event loop; a client that does not read its answers is not read from."""
        super().pause_writing()
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Called by the event loop."""
        super().resume_writing()
        if self._transport is not None:
            self._transport.resume_reading()

    def link_lost(self, reason: str) -> None:
        """Keeps what the client did not acknowledge for its next bind."""
        if self._receives:
            self._network.receipts.leave(self.system_id, self)
        self._sends = self._receives = False
        self._owner.unlinked(self)

    def end_of_read(self) -> None:
        """Writes the journal before the answers of this read leave."""
        self._network.journal.flush()
        self._submits_in_read = 0

    def handle(self, header: Header, pdu: bytes) -> None:
        """Acts on one PDU of the client."""
        command = header.command
        if command == SUBMIT_SM:
            self._submit(header, pdu)
        elif command == DELIVER_SM_RESP:
            self._network.receipts.answered(self.system_id, self, header.sequence, header.status)
        elif command == ENQUIRE_LINK:
            self.send(bare(ENQUIRE_LINK_RESP, header.sequence))
        elif command in _BINDS:
            self._bind(header, pdu)
        elif command == UNBIND:
            self.send(bare(UNBIND_RESP, header.sequence))
            self.close()
        elif command == GENERIC_NACK:
            # A client that cannot read a receipt will not read it the next time either.
            self._network.receipts.answered(self.system_id, self, header.sequence, OK)
        else:
            self.not_understood(header)

    def _bind(self, header: Header, pdu: bytes) -> None:
        answer = RESPONSE | header.command
        bind = bind_in(pdu)
        if self.is_bound:
            self.send(bare(answer, header.sequence, Status.ESME_RALYBND))
            return
        if bind.password == WRONG_PASSWORD or self._owner.refuses_binds:
            wrong = bind.password == WRONG_PASSWORD
            self.send(bare(answer, header.sequence, Status.ESME_RINVPASWD if wrong else Status.ESME_RBINDFAIL))
            self.close()
            return
        self.system_id = bind.system_id
        self._sends, self._receives = _BINDS[header.command]
        self.send(with_body(answer, header.sequence, SYSTEM_ID + _VERSION))
        if self._receives:
            self._network.receipts.join(self.system_id, self)
        self._owner.bound()

    def _submit(self, header: Header, pdu: bytes) -> None:
        if not self._sends:
            self.send(bare(SUBMIT_SM_RESP, header.sequence, Status.ESME_RINVBNDSTS))
            return
        try:
            request = submit_sm_in(pdu)
        except PduError:
            self.send(bare(SUBMIT_SM_RESP, header.sequence, Status.ESME_RINVPARLEN))
            return
        self._submits_in_read += 1
        counts = self._network.counts
        counts.max_outstanding = max(counts.max_outstanding, self._unanswered + self._submits_in_read)
        manner, status, message_id = self._network.take(self.system_id, request)
        if manner is Manner.AT_ONCE:
            self._answer(header.sequence, status, message_id)
            return
        self._submits_in_read -= 1
        self._unanswered += 1
        if manner is Manner.SLOWLY:
            self._loop.call_later(self._slow_answer_s, self._answer_late, header.sequence, message_id)
        elif manner is Manner.CUT:
            self._network.journal.flush()
            self.abort("the number asks for a cut")
        self._owner.changed()

    def _answer(self, sequence: int, status: int, message_id: str) -> None:
        if status == OK:
            self.send(message_id_answer(SUBMIT_SM_RESP, sequence, message_id))
        else:
            self.send(bare(SUBMIT_SM_RESP, sequence, status))

    def _answer_late(self, sequence: int, message_id: str) -> None:
        self._unanswered -= 1
        if self.is_open:
            self._answer(sequence, OK, message_id)
        self._owner.changed()
