"""One bind at a carrier, from the client's side: submits out, answers matched, receipts in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

import structlog

from messaging_service.adapters.carriers.smpp.concatenation import Part
from messaging_service.adapters.carriers.smpp.connection import Connection
from messaging_service.adapters.carriers.smpp.framing import PduError
from messaging_service.adapters.carriers.smpp.pdu import (
    DELIVER_SM,
    DELIVER_SM_RESP,
    ENQUIRE_LINK,
    ENQUIRE_LINK_RESP,
    GENERIC_NACK,
    INTERFACE_VERSION,
    MAX_SEQUENCE,
    RESPONSE,
    SUBMIT_SM_RESP,
    UNBIND,
    UNBIND_RESP,
    Bind,
    Command,
    Header,
    bare,
    bind_request,
    deliver_sm_in,
    message_id_answer,
    message_id_in,
)
from messaging_service.adapters.carriers.smpp.receipts import is_receipt, receipt_in
from messaging_service.adapters.carriers.smpp.settings import SmppSettings
from messaging_service.adapters.carriers.smpp.status import OK, THROTTLING, Status, status_name
from messaging_service.adapters.carriers.throttle import Throttle
from messaging_service.domain.submission import DeliveryReceipt

log = structlog.get_logger()

BIND_TRANSCEIVER: Final = int(Command.BIND_TRANSCEIVER)
BIND_TRANSCEIVER_RESP: Final = RESPONSE | BIND_TRANSCEIVER


@dataclass(frozen=True, slots=True)
class Answered:
    """The carrier answered a submit."""

    status: int
    message_id: str


class Unanswered(Enum):
    """Why a submit has no answer."""

    NOT_WRITTEN = "the link was gone before a byte of it left"
    NO_ANSWER = "no answer in time"
    LINK_LOST = "the link was lost before the answer"


SubmitAnswer = Answered | Unanswered


class BindRefused(Exception):  # noqa: N818 - the carrier's answer, named as the protocol names it
    """The carrier answered the bind with an error status."""

    def __init__(self, status: int) -> None:
        super().__init__(status_name(status))
        self.status = status


class _Waiting:
    """A submit whose answer is still to come."""

    __slots__ = ("answer", "deadline", "ordinal")

    def __init__(self, answer: asyncio.Future[SubmitAnswer], deadline: float, ordinal: int) -> None:
        self.answer = answer
        self.deadline = deadline
        self.ordinal = ordinal


@dataclass(frozen=True, slots=True)
class SessionEvents:
    """What a session tells its owner; all are called on the event loop."""

    receipt: Callable[[Session, int, DeliveryReceipt], None]
    """A receipt came under this sequence number; answer it with `acknowledge`."""
    place_freed: Callable[[], None]
    """A place in the window may have become free."""


class Session(Connection):
    """A transceiver bind.

    A submit takes one of `window` places until its answer came, its time ran out or the link broke. The
    owner counts the places it uses with `place_taken` and `place_freed`, as a message of several parts
    keeps its place between them.
    """

    def __init__(self, carrier: str, settings: SmppSettings, events: SessionEvents) -> None:
        super().__init__()
        self._carrier = carrier
        self._settings = settings
        self._events = events
        self._throttle = Throttle(settings.window, self._loop.call_later, events.place_freed)
        self._ordinal = 0
        self._written_ordinal = 0
        self._waiting: dict[int, _Waiting] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._keepalive: asyncio.TimerHandle | None = None
        self._enquiry: int | None = None
        self._bind_sequence = 0
        self._taking_submits = False
        self.in_use = 0
        """Places taken in the window."""
        self.bound: asyncio.Future[None] = self._loop.create_future()
        """Done when the bind was answered; fails with BindRefused or ConnectionError."""
        self.lost: asyncio.Future[str] = self._loop.create_future()
        """Done when the link is gone, with a sentence on why."""

    # What the owner uses.

    @property
    def is_up(self) -> bool:
        """Whether the carrier takes submits on this link now."""
        return self._taking_submits and self.is_open

    @property
    def window(self) -> int:
        """Submits that may be in flight now; less than the setting while throttled."""
        return self._throttle.allowance

    @property
    def room(self) -> int:
        """Submits that this session should take now; less than the free places while throttled."""
        return max(0, self._throttle.allowance - self.in_use)

    @property
    def free_places(self) -> int:
        """Submits that the window holds at most beside those in flight."""
        return self._settings.window - self.in_use

    def place_taken(self) -> None:
        """Counts a place of the window as used."""
        self.in_use += 1

    def place_freed(self) -> None:
        """Counts a place of the window as free again."""
        self.in_use -= 1
        self._events.place_freed()

    def submit(self, part: Part) -> asyncio.Future[SubmitAnswer]:
        """Sends one part. The future is always done in the end, and never with an exception.

        Cancelling it forgets the answer, but the place of the window is freed only when the submit is
        over, by this session: who cancels must not call `place_freed`.
        """
        answer: asyncio.Future[SubmitAnswer] = self._loop.create_future()
        if not self.is_up:
            answer.set_result(Unanswered.NOT_WRITTEN)
            return answer
        sequence = self._next_sequence()
        self.send(part.encode(sequence))
        deadline = self._loop.time() + self._settings.response_timeout_s
        self._waiting[sequence] = _Waiting(answer, deadline, self._ordinal)
        if self._sweep is None:
            self._sweep = self._loop.call_at(deadline, self._expire)
        return answer

    def acknowledge(self, sequence: int, status: int) -> None:
        """Answers the receipt that came under this sequence number; silent when the link is gone."""
        if self.is_open:
            self.send(message_id_answer(DELIVER_SM_RESP, sequence, status=status))

    async def unbind(self, timeout_s: float) -> None:
        """Takes leave of the carrier and closes the link; closes it also when no answer comes in time."""
        self._taking_submits = False
        if self.is_open:
            self.send(bare(UNBIND, self._next_sequence()))
            await asyncio.wait((self.lost,), timeout=timeout_s)
        self.abort("closed by us")
        await asyncio.wait((self.lost,), timeout=timeout_s)

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop; binds."""
        super().connection_made(transport)
        settings = self._settings
        self._bind_sequence = self._next_sequence()
        who = Bind(settings.system_id, settings.password, settings.system_type, INTERFACE_VERSION)
        self.send(bind_request(BIND_TRANSCEIVER, self._bind_sequence, who))

    def flushed(self) -> None:
        """All submits so far have left for the operating system, and so may have reached the carrier."""
        self._written_ordinal = self._ordinal

    def link_lost(self, reason: str) -> None:
        """Ends every submit that waits for an answer, and tells the owner."""
        for timer in (self._sweep, self._keepalive):
            if timer is not None:
                timer.cancel()
        self._throttle.stop()
        waiting, self._waiting = self._waiting, {}
        for submit in waiting.values():
            written = submit.ordinal <= self._written_ordinal
            self._end(submit, Unanswered.LINK_LOST if written else Unanswered.NOT_WRITTEN)
        if not self.bound.done():
            self.bound.set_exception(ConnectionError(reason))
            # Nobody waits for it when the attempt was given up in the meantime; that is no fault to report.
            self.bound.exception()
        if not self.lost.done():
            self.lost.set_result(reason)

    def handle(self, header: Header, pdu: bytes) -> None:
        """Acts on one PDU of the carrier."""
        command = header.command
        if command == SUBMIT_SM_RESP:
            self._submit_answered(header, message_id_in(pdu) if header.status == OK else "")
        elif command == DELIVER_SM:
            self._delivered(header, pdu)
        elif command == ENQUIRE_LINK:
            self.send(bare(ENQUIRE_LINK_RESP, header.sequence))
        elif command == ENQUIRE_LINK_RESP:
            self._alive(header.sequence)
        elif command == GENERIC_NACK:
            self._refused_as_pdu(header)
        elif command == BIND_TRANSCEIVER_RESP:
            self._bind_answered(header)
        elif command == UNBIND:
            self._taking_submits = False
            self.send(bare(UNBIND_RESP, header.sequence))
            self.cut("the carrier unbound")
        elif command == UNBIND_RESP:
            self.close()
        elif command != Command.ALERT_NOTIFICATION:
            self.not_understood(header)

    # The parts of `handle`.

    def _bind_answered(self, header: Header) -> None:
        if self.bound.done() or header.sequence != self._bind_sequence:
            return
        if header.status != OK:
            self.bound.set_exception(BindRefused(header.status))
            self.cut("the carrier refused the bind")
            return
        self._taking_submits = True
        self.bound.set_result(None)
        self._keepalive = self._loop.call_later(self._settings.enquire_link_s, self._enquire)

    def _submit_answered(self, header: Header, message_id: str) -> None:
        submit = self._waiting.pop(header.sequence, None)
        if submit is None:
            log.warning("smpp.late_answer", carrier=self._carrier, status=status_name(header.status))
            return
        if header.status == OK:
            self._throttle.taken()
        elif header.status in THROTTLING and self._throttle.throttled():
            log.warning("smpp.throttled", carrier=self._carrier, status=status_name(header.status))
        self._end(submit, Answered(header.status, message_id))

    def _refused_as_pdu(self, header: Header) -> None:
        if header.sequence == self._enquiry:
            self._alive(header.sequence)
        elif header.sequence == self._bind_sequence and not self.bound.done():
            self._bind_answered(header)
        elif header.sequence in self._waiting:
            # A generic_nack says that the PDU was not understood, whatever its status field holds.
            status = header.status or int(Status.ESME_RINVCMDID)
            self._submit_answered(header._replace(status=status), "")
        else:
            log.warning("smpp.nack_ignored", carrier=self._carrier, status=status_name(header.status))

    def _delivered(self, header: Header, pdu: bytes) -> None:
        try:
            message = deliver_sm_in(pdu)
        except PduError:
            # What cannot be read now cannot be read later either: a temporary error would bring it for ever.
            log.warning("smpp.deliver_unreadable", carrier=self._carrier, octets=len(pdu))
            self.acknowledge(header.sequence, Status.ESME_RX_P_APPN)
            return
        if not is_receipt(message):
            log.info("smpp.inbound_ignored", carrier=self._carrier, octets=len(pdu))
            self.acknowledge(header.sequence, OK)
            return
        receipt = receipt_in(self._carrier, message)
        if receipt is None:
            log.warning("smpp.receipt_without_id", carrier=self._carrier, octets=len(pdu))
            self.acknowledge(header.sequence, OK)
            return
        self._events.receipt(self, header.sequence, receipt)

    # Time.

    def _enquire(self) -> None:
        self._enquiry = self._next_sequence()
        self.send(bare(ENQUIRE_LINK, self._enquiry))
        self._keepalive = self._loop.call_later(
            self._settings.response_timeout_s, self.abort, "the carrier did not answer an enquire_link"
        )

    def _alive(self, sequence: int) -> None:
        if sequence != self._enquiry:
            return
        self._enquiry = None
        if self._keepalive is not None:
            self._keepalive.cancel()
        self._keepalive = self._loop.call_later(self._settings.enquire_link_s, self._enquire)

    def _expire(self) -> None:
        """Ends the submits whose time is over. They were sent in order, so the oldest is the first."""
        self._sweep = None
        now = self._loop.time()
        while self._waiting:
            sequence, submit = next(iter(self._waiting.items()))
            if submit.deadline > now:
                self._sweep = self._loop.call_at(submit.deadline, self._expire)
                return
            if submit.ordinal > self._written_ordinal:
                # It must not leave after its caller was told that it had not: only a cut makes sure.
                self.abort("the carrier does not read")
                return
            del self._waiting[sequence]
            self._end(submit, Unanswered.NO_ANSWER)

    # Book-keeping.

    def _next_sequence(self) -> int:
        self._ordinal += 1
        return (self._ordinal - 1) % MAX_SEQUENCE + 1

    def _end(self, submit: _Waiting, answer: SubmitAnswer) -> None:
        if submit.answer.done():
            self.place_freed()
        else:
            submit.answer.set_result(answer)
