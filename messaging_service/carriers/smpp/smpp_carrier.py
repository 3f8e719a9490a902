"""A carrier that is reached over SMPP."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from messaging_service.carriers.bind_leases import BindLeases
from messaging_service.carriers.carrier import CarrierSinks
from messaging_service.carriers.domain.carrier_status import BindState, CarrierStatus
from messaging_service.carriers.domain.submission import Outcome, OutcomeKind, Submission
from messaging_service.carriers.smpp.arrivals import Arrivals
from messaging_service.carriers.smpp.binds.bind import KeptBind
from messaging_service.carriers.smpp.binds.leased_binds import leased_binds
from messaging_service.carriers.smpp.binds.outstanding import Answered, Asked, SubmitAnswer, Unanswered
from messaging_service.carriers.smpp.binds.place import Place
from messaging_service.carriers.smpp.binds.session import Session
from messaging_service.carriers.smpp.binds.session_events import SessionEvents
from messaging_service.carriers.smpp.binds.tls import tls_context
from messaging_service.carriers.smpp.codec.addresses import recipient_address, sender_address
from messaging_service.carriers.smpp.codec.status import OK, THROTTLING
from messaging_service.carriers.smpp.late import LateAnswers
from messaging_service.carriers.smpp.parts import Part, PartMaker
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from messaging_service.carriers.smpp.smpp_standing import remark_on
from messaging_service.carriers.smpp.submit_outcomes import (
    accepted,
    failed,
    late_outcome,
    partially_sent,
    unsendable,
)
from messaging_service.carriers.template.windowed import WindowedCarrier
from service_kit.backoff import backoff_s

log = structlog.get_logger()

UNBIND_TIMEOUT_S: Final = 2.0
FIRST_PART_RETRY_S: Final = 0.2
LONGEST_PART_RETRY_S: Final = 5.0
"""Seconds at least before a part is tried again that the carrier did not take while others of its message are out;
they double up to the longest."""


class SmppCarrier(WindowedCarrier):
    """Hands messages to one carrier over its binds, and brings their receipts to the sink."""

    traced_as = ("submit_sm", {"messaging.system": "smpp", "messaging.operation.type": "send"})

    def __init__(
        self, settings: SmppSettings, sinks: CarrierSinks, name: str = "smpp", leases: BindLeases | None = None
    ) -> None:
        tls_context(settings)  # A file that cannot be used fails at the start, and not once it is needed.
        super().__init__(name, 0.0 if settings.max_binds else settings.max_submits_per_s)
        self._settings = settings
        self._arrivals = Arrivals(name, settings, sinks)
        self._late = LateAnswers(name, sinks.late_outcomes, self._late_outcome)
        self._parts = PartMaker(settings)
        self._stopping = False
        self._has_unbound = False
        events = SessionEvents(arrived=self._arrivals.take, place_freed=self._place_freed, late=self._late.put)
        self._binds = [
            KeptBind(name, number, settings, events, self._changed)
            for number in range(1, (settings.max_binds or settings.binds) + 1)
        ]
        self._leased = leased_binds(name, settings, leases, self._binds, self._leases_changed)

    async def start(self) -> None:
        """Begins to bind; returns at once, see `wait_until_up`."""
        self._stopping = False
        self._has_unbound = False
        self._arrivals.open()
        if self._leased is not None:
            self._leased.start()
            return
        for bind in self._binds:
            bind.start()

    async def stop(self, timeout_s: float | None = None) -> None:
        """Gives out no more slots, waits for outstanding answers and receipts, and unbinds.

        `timeout_s` bounds the wait for answers; None means the response time-out. Submits that are still
        without an answer then come out UNKNOWN.
        """
        limit_s = self._settings.response_timeout_s if timeout_s is None else timeout_s
        self._stopping = True
        await self._wait_idle(limit_s)
        await self._arrivals.drain(limit_s)
        await self._late.drain(limit_s)
        self._has_unbound = True
        # The last acknowledgements must leave before the unbind does; both go in the order they are sent.
        if self._leased is not None:
            await self._leased.stop(UNBIND_TIMEOUT_S)
        else:
            await asyncio.gather(*(bind.stop(UNBIND_TIMEOUT_S) for bind in self._binds))
        self._rate.stop()
        log.info("smpp.stopped", carrier=self._name)

    # The port.

    @property
    def is_up(self) -> bool:
        """Whether at least one bind can take messages now."""
        return not self._stopping and any(bind.session is not None and bind.session.is_up for bind in self._binds)

    @property
    def _room(self) -> int:
        if self._stopping:
            return 0
        room = 0
        for bind in self._binds:
            session = bind.session
            if session is not None and session.is_up:
                room += session.room
        return room - self._reserved

    def status(self) -> CarrierStatus:
        """How it stands now."""
        binds = tuple(bind.status() for bind in self._binds)
        return CarrierStatus(
            name=self._name,
            kind="smpp",
            is_up=self.is_up,
            window=sum(bind.window for bind in binds if bind.state is BindState.UP),
            in_use=sum(bind.in_use for bind in binds),
            binds=binds,
            remark=remark_on(self._binds, self._leased, self._rate),
        )

    # How a submit goes.

    async def _submit(self, submission: Submission) -> Outcome:
        sender = sender_address(submission.sender_id, self._settings)
        if sender is None:
            return unsendable(self._name, "INVALID_SENDER", "no SMPP address holds the sender")
        recipient = recipient_address(submission.recipient, self._settings)
        if recipient is None:
            return unsendable(self._name, "INVALID_RECIPIENT", "the recipient is no E.164 number")
        try:
            parts = self._parts.parts_of(sender, recipient, submission.segmentation, submission.validity)
        except ValueError:
            return unsendable(self._name, "REJECTED_BY_CARRIER", "a part does not fit its encoding")
        place = Place()
        try:
            if len(parts) > 1:
                return await self._submit_parts(submission, parts, place)
            segments = submission.segmentation.units
            answer = await self._ask(place, parts[0], Asked(submission.message_id, submission.epoch, (), 0, segments))
        finally:
            place.free()
        if isinstance(answer, Answered) and answer.status == OK:
            return accepted(self._name, (answer.message_id,) * segments)
        return failed(self._name, answer)

    async def _submit_parts(self, submission: Submission, parts: list[Part], place: Place) -> Outcome:
        """Sends parts one after another.

        Once one is out, the rest is tried for as long as the message may be sent and is wanted, since the whole can no
        longer be tried again without sending that part twice. Each try waits for its turn at the bind.
        """
        loop = asyncio.get_running_loop()
        within_s = self._settings.response_timeout_s if submission.send_within_s is None else submission.send_within_s
        if submission.validity is not None:
            within_s = min(within_s, submission.validity.left_s)
        give_up = loop.time() + within_s
        message_ids: list[str] = []
        for left, part in zip(range(len(parts) - 1, -1, -1), parts, strict=True):
            asked = Asked(submission.message_id, submission.epoch, tuple(message_ids), left)
            raw, tries = "not sent: the time to send the message was over", 0
            while True:
                if message_ids and not await self._turn_of_part(place, give_up):
                    return partially_sent(self._name, message_ids, raw)
                answer = await self._ask(place, part, asked)
                if isinstance(answer, Answered) and answer.status == OK:
                    message_ids.append(answer.message_id)
                    break
                outcome = failed(self._name, answer, message_ids)
                if outcome.kind is OutcomeKind.UNKNOWN or not message_ids:
                    return outcome
                raw, tries = outcome.raw, tries + 1
                if outcome.kind is OutcomeKind.REFUSED:
                    return partially_sent(self._name, message_ids, raw)
                if not (isinstance(answer, Answered) and answer.status in THROTTLING):
                    # One that throttles has its bind paused, which the next turn waits for.
                    pause_s = backoff_s(tries, FIRST_PART_RETRY_S, LONGEST_PART_RETRY_S)
                    await asyncio.sleep(max(0.0, min(pause_s, give_up - loop.time())))
        return accepted(self._name, message_ids)

    async def _turn_of_part(self, place: Place, give_up: float) -> bool:
        """Waits until the next part may go; False when it cannot go before `give_up`, on the clock of the loop."""
        loop = asyncio.get_running_loop()
        await self._rate.turn()
        while (left_s := give_up - loop.time()) > 0:
            session = self._session_for(place)
            if session is None:
                if self._has_unbound:
                    return False
                await asyncio.sleep(min(FIRST_PART_RETRY_S, left_s))
            elif not await session.turn_of_part(left_s):
                return False
            elif session.takes_parts:
                return True
        return False

    async def _ask(self, place: Place, part: Part, asked: Asked) -> SubmitAnswer:
        if self._session_for(place) is None:
            return Unanswered.NOT_WRITTEN
        return await place.ask(part, asked)

    def _session_for(self, place: Place) -> Session | None:
        """The session of the place, or else another one that has a place to move to; None when there is none."""
        if place.session is None or not place.session.takes_parts:
            session = self._roomiest_session()
            if session is None:
                return None
            place.move_to(session)
        return place.session

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

    def _late_outcome(self, asked: Asked, answer: Answered) -> Outcome:
        return late_outcome(self._name, asked, answer)

    def _leases_changed(self, held: int) -> None:
        """The allowance of the account is spread over its binds, so each replica has that of the binds it holds."""
        per_s = self._settings.max_submits_per_s * held / self._settings.max_binds
        self._rate.change(per_s)
        self._place_freed()
