"""A carrier that is reached over SMPP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import structlog

from messaging_service.adapters.carriers.smpp.addresses import recipient_address, sender_address
from messaging_service.adapters.carriers.smpp.bind import KeptBind
from messaging_service.adapters.carriers.smpp.concatenation import ConcatenationReferences, Part, parts_of
from messaging_service.adapters.carriers.smpp.intake import ReceiptIntake
from messaging_service.adapters.carriers.smpp.place import Place
from messaging_service.adapters.carriers.smpp.session import (
    Answered,
    Session,
    SessionEvents,
    SubmitAnswer,
    Unanswered,
)
from messaging_service.adapters.carriers.smpp.settings import SmppSettings
from messaging_service.adapters.carriers.smpp.status import OK, judge, status_name
from messaging_service.domain.carrier_status import BindState, CarrierStatus
from messaging_service.domain.submission import Outcome, OutcomeKind, Submission
from messaging_service.use_cases.carrier import CarrierSinks, Slot

log = structlog.get_logger()

UNBIND_TIMEOUT_S: Final = 2.0
PART_RETRY_S: Final = 0.2
"""Seconds between two tries of a part that the carrier did not take while others of its message are out."""
_ACCEPTED: Final = status_name(OK)


class SmppSlot:
    """A place in the window of one of the carrier's binds; which one is decided at the submit."""

    __slots__ = ("_carrier", "_reserved")

    def __init__(self, carrier: SmppCarrier) -> None:
        self._carrier = carrier
        self._reserved = True

    def release(self) -> None:
        """Gives the place back unused. Harmless after a submit or a second time."""
        if self._reserved:
            self._reserved = False
            self._carrier.unreserve()

    def spend(self, carrier: SmppCarrier) -> None:
        """Turns the reservation into a submit. Raises ValueError for a slot without one."""
        if not self._reserved or self._carrier is not carrier:
            raise ValueError("a slot serves one submit, at the carrier that gave it")
        self._reserved = False


class SmppCarrier:
    """Hands messages to one carrier over its binds, and brings their receipts to the sink."""

    def __init__(self, settings: SmppSettings, sinks: CarrierSinks, name: str = "smpp") -> None:
        self._settings = settings
        self._name = name
        self._intake = ReceiptIntake(name, sinks.receipts, settings.response_timeout_s)
        self._references = ConcatenationReferences()
        self._listeners: list[Callable[[], None]] = []
        self._notice_due = False
        self._reserved = 0
        self._submitting = 0
        self._stopping = False
        self._up = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        events = SessionEvents(receipt=self._intake.put, place_freed=self._place_freed)
        self._binds = [KeptBind(name, settings, events, self._binds_changed) for _ in range(settings.binds)]

    async def start(self) -> None:
        """Begins to bind; returns at once, see `wait_until_up`."""
        self._stopping = False
        self._intake.open()
        for bind in self._binds:
            bind.start()

    async def stop(self, timeout_s: float | None = None) -> None:
        """Gives out no more slots, waits for outstanding answers and receipts, and unbinds.

        `timeout_s` bounds the wait for answers; None means the response time-out. Submits that are still
        without an answer then come out UNKNOWN.
        """
        limit_s = self._settings.response_timeout_s if timeout_s is None else timeout_s
        self._stopping = True
        try:
            async with asyncio.timeout(limit_s):
                await self._idle.wait()
        except TimeoutError:
            log.warning("smpp.stopped_with_submits", carrier=self._name, submits=self._submitting)
        await self._intake.drain(limit_s)
        # The last acknowledgements must leave before the unbind does; both go in the order they are sent.
        await asyncio.gather(*(bind.stop(UNBIND_TIMEOUT_S) for bind in self._binds))
        log.info("smpp.stopped", carrier=self._name)

    # The port.

    @property
    def name(self) -> str:
        """Stable name, for records and metrics."""
        return self._name

    @property
    def is_up(self) -> bool:
        """Whether at least one bind can take messages now."""
        return not self._stopping and any(bind.session is not None and bind.session.is_up for bind in self._binds)

    @property
    def free_slots(self) -> int:
        """How many reservations would succeed now."""
        if self._stopping:
            return 0
        room = 0
        for bind in self._binds:
            session = bind.session
            if session is not None and session.is_up:
                room += session.room
        return max(0, room - self._reserved)

    def try_reserve(self) -> Slot | None:
        """A place in the window, or None when it is full, throttled, or the carrier is not up."""
        if not self.free_slots:
            return None
        self._reserved += 1
        self._idle.clear()
        return SmppSlot(self)

    async def wait_until_up(self, timeout_s: float) -> bool:
        """True as soon as `is_up`; False when it did not come up in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self.is_up:
                    self._up.clear()
                    await self._up.wait()
        except TimeoutError:
            return False
        return True

    def on_slot_free(self, listener: Callable[[], None]) -> None:
        """Registers a callback; places that become free in one turn of the loop are told of together."""
        self._listeners.append(listener)

    def status(self) -> CarrierStatus:
        """How it stands now."""
        binds = tuple(bind.status(number) for number, bind in enumerate(self._binds, start=1))
        return CarrierStatus(
            name=self._name,
            kind="smpp",
            is_up=self.is_up,
            window=sum(bind.window for bind in binds if bind.state is BindState.UP),
            in_use=sum(bind.in_use for bind in binds),
            binds=binds,
            remark=None,
        )

    async def submit(self, slot: Slot, submission: Submission) -> Outcome:
        """Hands over one message, using up the slot. Raises ValueError for a slot that is used up."""
        if not isinstance(slot, SmppSlot):
            raise ValueError("the slot is another carrier's")  # noqa: TRY004 - a wrong value of the port's type
        slot.spend(self)
        self._submitting += 1
        self._reserved -= 1
        try:
            return await self._submit(submission)
        finally:
            self._submitting -= 1
            self._place_freed()

    # How a submit goes.

    async def _submit(self, submission: Submission) -> Outcome:
        sender = sender_address(submission.sender_id)
        if sender is None:
            return self._unsendable("INVALID_SENDER", "no SMPP address holds the sender")
        recipient = recipient_address(submission.recipient)
        if recipient is None:
            return self._unsendable("INVALID_RECIPIENT", "the recipient is no E.164 number")
        try:
            parts = parts_of(sender, recipient, submission.segmentation, self._references)
        except ValueError:
            return self._unsendable("REJECTED_BY_CARRIER", "a part does not fit its encoding")
        place = Place()
        try:
            if len(parts) > 1:
                return await self._submit_parts(parts, place)
            answer = await self._ask(place, parts[0])
        finally:
            place.free()
        if isinstance(answer, Answered) and answer.status == OK:
            return self._accepted([answer.message_id])
        return self._failed(answer)

    async def _submit_parts(self, parts: list[Part], place: Place) -> Outcome:
        """Sends parts one after another.

        Once one is out, the rest is tried until the response time-out is over, as the whole message can
        no longer be tried again without sending that part twice.
        """
        loop = asyncio.get_running_loop()
        message_ids: list[str] = []
        for part in parts:
            give_up = loop.time() + self._settings.response_timeout_s
            while True:
                answer = await self._ask(place, part)
                if isinstance(answer, Answered) and answer.status == OK:
                    message_ids.append(answer.message_id)
                    break
                outcome = self._failed(answer, message_ids)
                if outcome.kind is OutcomeKind.UNKNOWN or not message_ids:
                    return outcome
                if outcome.kind is OutcomeKind.REFUSED or loop.time() >= give_up:
                    return replace(outcome, kind=OutcomeKind.REFUSED, error_code="PARTIALLY_SENT")
                await asyncio.sleep(PART_RETRY_S)
        return self._accepted(message_ids)

    async def _ask(self, place: Place, part: Part) -> SubmitAnswer:
        if place.session is None or not place.session.is_up:
            session = self._roomiest_session()
            if session is None:
                return Unanswered.NOT_WRITTEN
            place.move_to(session)
        return await place.ask(part)

    def _roomiest_session(self) -> Session | None:
        """The session with the most room; None when no window has a place.

        A throttled one serves when no other has room, as the slot was given out before it was throttled.
        """
        best: Session | None = None
        for bind in self._binds:
            session = bind.session
            if session is None or not session.is_up or session.free_places <= 0:
                continue
            if best is None or (session.room, session.free_places) > (best.room, best.free_places):
                best = session
        return best

    # What came of it.

    def _accepted(self, message_ids: list[str]) -> Outcome:
        # A carrier that gives no id can send no receipt that matches; an empty id would match by accident.
        return Outcome(
            OutcomeKind.ACCEPTED,
            self._name,
            carrier_message_ids=tuple(message_id for message_id in message_ids if message_id),
            raw=_ACCEPTED,
        )

    def _failed(self, answer: SubmitAnswer, message_ids: Sequence[str] = ()) -> Outcome:
        kind, code, raw = _meaning(answer)
        return Outcome(kind, self._name, tuple(filter(None, message_ids)), code, raw)

    def _unsendable(self, code: str, why: str) -> Outcome:
        return Outcome(OutcomeKind.REFUSED, self._name, error_code=code, raw=f"not sent: {why}")

    # Places.

    def unreserve(self) -> None:
        """Called by a slot that is given back."""
        self._reserved -= 1
        self._place_freed()

    def _binds_changed(self) -> None:
        if self.is_up:
            self._up.set()
        self._place_freed()

    def _place_freed(self) -> None:
        if not self._reserved and not self._submitting:
            self._idle.set()
        if self._listeners and not self._notice_due:
            self._notice_due = True
            asyncio.get_running_loop().call_soon(self._give_notice)

    def _give_notice(self) -> None:
        self._notice_due = False
        for listener in self._listeners:
            listener()


def _meaning(answer: SubmitAnswer) -> tuple[OutcomeKind, str, str]:
    """Kind, stable code and raw answer of a submit that was not accepted."""
    if isinstance(answer, Answered):
        return *judge(answer.status), status_name(answer.status)
    if answer is Unanswered.NOT_WRITTEN:
        return OutcomeKind.NOT_TAKEN, "CARRIER_UNAVAILABLE", answer.value
    return OutcomeKind.UNKNOWN, "CARRIER_NO_ANSWER", answer.value
