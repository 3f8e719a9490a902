"""One bind at a carrier, from the client's side: submits out, answers matched, receipts in."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from messaging_service.carriers.smpp.binds.connection import CLOSE_GRACE_S, Connection
from messaging_service.carriers.smpp.binds.link_check import LinkCheck
from messaging_service.carriers.smpp.binds.outstanding import (
    Answered,
    Asked,
    Outstanding,
    SubmitAnswer,
    Unanswered,
    Waiting,
)
from messaging_service.carriers.smpp.binds.session_events import BindRefused, SessionEvents
from messaging_service.carriers.smpp.binds.turns import Turns
from messaging_service.carriers.smpp.binds.wind_up import WindUp
from messaging_service.carriers.smpp.codec.pdu import (
    DATA_SM,
    DELIVER_SM,
    ENQUIRE_LINK,
    ENQUIRE_LINK_RESP,
    GENERIC_NACK,
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
    message_id_answer,
    message_id_in,
)
from messaging_service.carriers.smpp.codec.status import OK, SESSION_ERRORS, THROTTLING, Status, status_name
from messaging_service.carriers.smpp.parts import Part
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from messaging_service.carriers.template.throttle import Throttle

log = structlog.get_logger()

REMEMBERED_WINDOWS: Final = 2
"""Windows full of submits without an answer whose late answers are still understood."""


class Session(Connection):
    """A bind as transceiver, transmitter or receiver; the last takes no submits.

    A submit takes one of `window` places until its answer came, its time ran out or the link broke. The
    owner counts the places it uses with `place_taken` and `place_freed`, as a message of several parts
    keeps its place between them.
    """

    def __init__(self, carrier: str, settings: SmppSettings, role: Command, events: SessionEvents) -> None:
        super().__init__()
        self._role = role
        self._carrier = carrier
        self._settings = settings
        self._events = events
        self._throttle = Throttle(
            settings.window,
            self._loop.call_later,
            self._may_take_more,
            first_pause_s=settings.throttle_pause_s,
            longest_pause_s=settings.throttle_pause_max_s,
        )
        self._turns = Turns(lambda let_on: not self.takes_parts or self._in_flight + let_on < self._throttle.allowance)
        self._ordinal = 0
        self._written_ordinal = 0
        self._outstanding = Outstanding(
            settings.response_timeout_s,
            REMEMBERED_WINDOWS * settings.window,
            # It must not leave after its caller learned that it did not: only a cut makes sure.
            is_stuck=lambda submit: submit.ordinal > self._written_ordinal,
            stuck=lambda: self.abort("the carrier does not read"),
            unanswered=self._submit_unanswered,
        )
        self._check = LinkCheck(
            settings.enquire_link_s,
            settings.response_timeout_s,
            ask=self._enquire,
            gone=lambda: self.abort("the carrier did not answer an enquire_link"),
        )
        self._wind_up = WindUp(settings.response_timeout_s, is_idle=lambda: self._is_idle, leave=self._leave)
        self._unbinds: list[int] = []
        self._unacknowledged = 0
        self._bind_sequence = 0
        self._taking_submits = False
        self._idle: asyncio.Event | None = None
        self.in_use = 0
        """Places taken in the window."""
        self.bound: asyncio.Future[None] = self._loop.create_future()
        """Done when the bind was answered; fails with BindRefused or ConnectionError."""
        self.lost: asyncio.Future[str] = self._loop.create_future()
        """Done when the link is gone, with a sentence on why."""

    # What the owner uses.

    @property
    def is_up(self) -> bool:
        """Whether messages should go out by this link now."""
        return self._taking_submits and self.is_open and self._idle is None

    @property
    def takes_parts(self) -> bool:
        """Whether a message that has its place here can still be submitted; outlives `is_up` while it winds up."""
        return self._taking_submits and self.is_open

    @property
    def ends_because(self) -> str | None:
        """Why it takes no more submits and ends when those in flight are answered; None while it does not end."""
        return self._wind_up.reason

    @property
    def is_bound(self) -> bool:
        """Whether the carrier took the bind and the link is open."""
        return self.is_open and self.bound.done() and not self.bound.cancelled() and self.bound.exception() is None

    @property
    def is_throttled(self) -> bool:
        """Whether the carrier made this bind slow down, and it has not recovered."""
        return self._throttle.allowance < self._settings.window

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
        if self._idle is not None and not self.in_use:
            self._idle.set()
        self._events.place_freed()

    def submit(self, part: Part, asked: Asked) -> asyncio.Future[SubmitAnswer]:
        """Sends one part. The future is always done in the end, and never with an exception.

        Cancelling it forgets the answer, but the place of the window is freed only when the submit is
        over, by this session: who cancels must not call `place_freed`.
        """
        answer: asyncio.Future[SubmitAnswer] = self._loop.create_future()
        if not self.takes_parts:
            answer.set_result(Unanswered.NOT_WRITTEN)
            return answer
        sequence = self._next_sequence()
        self.send(part.encode(sequence))
        self._outstanding.add(sequence, answer, asked, self._ordinal)
        return answer

    async def turn_of_part(self, timeout_s: float) -> bool:
        """Waits until the next part of a message that has its place here may go: longer while the carrier throttles.

        False when the time is over first. True also when the session takes no parts any more, which
        `takes_parts` then says. The turn is to be used before anything else is awaited.
        """
        return await self._turns.wait(timeout_s)

    def acknowledge(self, command: int, sequence: int, status: int) -> None:
        """Answers what arrived under this sequence number; silent when the link is gone."""
        self._unacknowledged -= 1
        if self.is_open:
            self.send(message_id_answer(command, sequence, status=status))
        self._wind_up.look()

    async def finish_submits(self, timeout_s: float) -> None:
        """Takes no new messages, and waits for the answers to those in flight, but no longer than that."""
        self._idle = asyncio.Event()
        self._may_take_more()
        if self.in_use and self.is_open:
            idle = asyncio.ensure_future(self._idle.wait())
            await asyncio.wait((idle, self.lost), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            idle.cancel()

    async def unbind(self, timeout_s: float) -> None:
        """Takes leave of the carrier and closes the link; closes it also when no answer comes in time."""
        self._take_no_more()
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
        who = Bind(
            settings.system_id,
            settings.password,
            settings.system_type,
            settings.interface_version,
            settings.addr_ton,
            settings.addr_npi,
            settings.address_range,
        )
        self.send(bind_request(self._role, self._bind_sequence, who))

    def flushed(self) -> None:
        """All submits so far have left for the operating system, and so may have reached the carrier."""
        self._written_ordinal = self._ordinal

    def link_lost(self, reason: str) -> None:
        """Ends every submit that waits for an answer, and tells the owner."""
        self._take_no_more()
        self._check.stop()
        self._throttle.stop()
        self._wind_up.stop()
        for submit in self._outstanding.abandon():
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
        self._check.heard()
        if command == SUBMIT_SM_RESP:
            self._submit_answered(header, message_id_in(pdu) if header.status == OK else "")
        elif command in (DELIVER_SM, DATA_SM):
            self._unacknowledged += 1
            self._events.arrived(self, header, pdu)
        elif command == ENQUIRE_LINK:
            self.send(bare(ENQUIRE_LINK_RESP, header.sequence))
        elif command == ENQUIRE_LINK_RESP:
            self._look_for_session_error(header.status)
        elif command == GENERIC_NACK:
            self._refused_as_pdu(header)
        elif command == RESPONSE | self._role:
            self._bind_answered(header)
        elif command == UNBIND:
            self._unbinds.append(header.sequence)
            self._begin_to_end("the carrier unbound")
        elif command == UNBIND_RESP:
            self.close()
        elif command != Command.ALERT_NOTIFICATION:
            self.not_understood(header)

    # The parts of `handle`.

    def _bind_answered(self, header: Header) -> None:
        if self.bound.done():
            return
        if header.status == OK and header.sequence != self._bind_sequence:
            return
        if header.status != OK:
            self.bound.set_exception(BindRefused(header.status))
            self.cut("the carrier refused the bind")
            return
        self._taking_submits = self._role is not Command.BIND_RECEIVER
        self.bound.set_result(None)
        self._check.start()

    def _submit_answered(self, header: Header, message_id: str) -> None:
        submit = self._outstanding.take(header.sequence)
        if submit is None:
            self._answered_late(header, message_id)
            return
        if header.status == OK:
            self._throttle.taken()
        self._look_for_throttling(header.status)
        self._look_for_session_error(header.status)
        self._end(submit, Answered(header.status, message_id))

    def _look_for_throttling(self, status: int) -> None:
        if status in THROTTLING and self._throttle.throttled():
            log.warning("smpp.throttled", carrier=self._carrier, status=status_name(status))

    def _submit_unanswered(self, submit: Waiting) -> None:
        # The link may be half-open, and each message that goes into it until that is found out is unknown.
        self._check.hurry()
        self._end(submit, Unanswered.NO_ANSWER)

    def _answered_late(self, header: Header, message_id: str) -> None:
        asked = self._outstanding.take_late(header.sequence)
        log.warning(
            "smpp.late_answer", carrier=self._carrier, status=status_name(header.status), is_known=asked is not None
        )
        # Late as it is, it is what the carrier last said of the bind.
        self._look_for_throttling(header.status)
        self._look_for_session_error(header.status)
        if asked is not None:
            self._events.late(asked, Answered(header.status, message_id))

    def _refused_as_pdu(self, header: Header) -> None:
        if not self.bound.done():
            # Nothing but the bind is out, so it is meant also where the carrier could not read the sequence number.
            self._bind_answered(header._replace(status=header.status or int(Status.ESME_RINVCMDID)))
        elif self._check.is_question(header.sequence):
            self._look_for_session_error(header.status)
        elif header.sequence in self._outstanding:
            # A generic_nack says that the PDU was not understood, whatever its status field holds.
            status = header.status or int(Status.ESME_RINVCMDID)
            self._submit_answered(header._replace(status=status), "")
        else:
            log.warning("smpp.nack_ignored", carrier=self._carrier, status=status_name(header.status))
            self._look_for_throttling(header.status)
            self._look_for_session_error(header.status)

    # The end of the session.

    def _look_for_session_error(self, status: int) -> None:
        """An error of the session says nothing of the message it answers, and each further one would get it too."""
        if status not in SESSION_ERRORS or self._wind_up.reason is not None:
            return
        name = status_name(status)
        log.error(
            "smpp.session_refused",
            carrier=self._carrier,
            status=name,
            remedy="none needed: the link is made anew; ask the carrier why when it comes back often",
        )
        self._begin_to_end(f"the carrier answered {name}, so the session is not bound for it")

    def _begin_to_end(self, reason: str) -> None:
        self._take_no_more()
        self._wind_up.begin(reason)
        self._events.place_freed()

    @property
    def _is_idle(self) -> bool:
        """Whether every submit has its answer and every arrival is acknowledged."""
        return not self._in_flight and self._unacknowledged <= 0

    def _leave(self) -> None:
        reason = self._wind_up.reason or ""
        if not self._unbinds:
            self.cut(reason)
            return
        for sequence in self._unbinds:
            self.send(bare(UNBIND_RESP, sequence))
        # It is the carrier's to close now. To close with something of it unread would reset the connection, and
        # could take the answer back that is on its way.
        self.fault = self.fault or reason
        self._loop.call_later(CLOSE_GRACE_S, self.cut, reason)

    # Book-keeping.

    @property
    def _in_flight(self) -> int:
        return len(self._outstanding)

    def _take_no_more(self) -> None:
        self._taking_submits = False
        self._turns.look()

    def _may_take_more(self) -> None:
        self._turns.look()
        self._events.place_freed()

    def _enquire(self) -> int:
        sequence = self._next_sequence()
        self.send(bare(ENQUIRE_LINK, sequence))
        return sequence

    def _next_sequence(self) -> int:
        self._ordinal += 1
        return (self._ordinal - 1) % MAX_SEQUENCE + 1

    def _end(self, submit: Waiting, answer: SubmitAnswer) -> None:
        if submit.answer.done():
            self.place_freed()
        else:
            submit.answer.set_result(answer)
        self._turns.look()
        self._wind_up.look()
