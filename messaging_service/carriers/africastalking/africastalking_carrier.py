"""The carrier Africa's Talking, reached over HTTPS."""

from __future__ import annotations

import asyncio
from typing import Final

import httpx
import structlog

from messaging_service.carriers.africastalking.africastalking_settings import AfricasTalkingSettings
from messaging_service.carriers.africastalking.africastalking_standing import Standing
from messaging_service.carriers.africastalking.answers import Answer, read_answer
from messaging_service.carriers.africastalking.client import MESSAGING, AfricasTalkingClient, Handover, Reply
from messaging_service.carriers.africastalking.results import UNCLEAR, Consequence
from messaging_service.carriers.carrier import CarrierSinks
from messaging_service.carriers.domain.carrier_status import BindState, BindStatus, CarrierStatus
from messaging_service.carriers.domain.submission import LateOutcome, Outcome, OutcomeKind, Submission
from messaging_service.carriers.template.throttle import Throttle
from messaging_service.carriers.template.windowed import WindowedCarrier
from service_kit.duties.ending import end_tasks

log = structlog.get_logger()

KIND: Final = "africastalking"


class AfricasTalkingCarrier(WindowedCarrier):
    """Hands messages to one account, a request each.

    One recipient a request: the carrier has no idempotency, so the outcome of a lost answer is open for all
    of its recipients, and a lost answer must not leave more than one message open.
    """

    traced_as = (
        f"POST {MESSAGING}",
        {"http.request.method": "POST", "url.template": MESSAGING, "messaging.system": KIND},
    )

    def __init__(self, settings: AfricasTalkingSettings, sinks: CarrierSinks, name: str = KIND) -> None:
        super().__init__(name, settings.max_submits_per_s)
        self._settings = settings
        self._late_outcomes = sinks.late_outcomes
        self._client: AfricasTalkingClient | None = None
        self._kept = 0
        """Places of requests whose submits were called unknown, and which may be answered yet."""
        self._exchanges: set[asyncio.Task[Reply]] = set()
        self._late: set[asyncio.Task[None]] = set()
        self._stopping = True
        self._standing = Standing(name, settings, self._look, self._changed)
        self._throttle: Throttle | None = None

    async def start(self) -> None:
        """Begins to look whether the carrier answers; returns at once, see `wait_until_up`."""
        loop = asyncio.get_running_loop()
        self._client = AfricasTalkingClient(self._settings)
        self._throttle = Throttle(self._settings.window, loop.call_later, self._changed)
        self._stopping = False
        self._standing.start()

    async def stop(self, timeout_s: float | None = None) -> None:
        """Gives out no more slots, waits for outstanding answers, and closes the connections.

        `timeout_s` bounds the wait; None means the response time-out. Submits that are still without an
        answer then come out UNKNOWN, and answers that are late already are not waited for.
        """
        limit_s = self._settings.response_timeout_s if timeout_s is None else timeout_s
        self._stopping = True
        await self._wait_idle(limit_s)
        for exchange in self._exchanges:
            exchange.cancel()
        if ending := {*self._exchanges, *self._late}:
            await asyncio.wait(ending)
        await self._standing.stop()
        self._rate.stop()
        if self._throttle is not None:
            self._throttle.stop()
        if self._client is not None:
            await self._client.close()
            self._client = None
        log.info("africastalking.stopped", carrier=self._name)

    # The port.

    @property
    def is_up(self) -> bool:
        """Whether the carrier answers and nothing speaks against sending."""
        return not self._stopping and self._standing.is_up

    @property
    def _room(self) -> int:
        return self._throttle.allowance - self._in_use if self.is_up and self._throttle is not None else 0

    def status(self) -> CarrierStatus:
        """How it stands now; the connections count as one bind."""
        standing = self._standing
        state = BindState.STOPPED if self._stopping else standing.state
        window = self._throttle.allowance if state is BindState.UP and self._throttle is not None else 0
        is_throttled = state is BindState.UP and window < self._settings.window
        return CarrierStatus(
            name=self._name,
            kind=KIND,
            is_up=self.is_up,
            window=window,
            in_use=self._in_use,
            binds=(BindStatus(1, state, window, self._in_use, standing.last_error, is_throttled=is_throttled),),
            remark=standing.remark,
            balance=standing.balance,
        )

    # How a submit goes.

    async def _submit(self, submission: Submission) -> Outcome:
        # All parts travel in one request, so none is refused after another was accepted.
        handover = Handover(submission, self._settings)
        exchange = asyncio.create_task(self._send(handover))
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanges.discard)
        try:
            await asyncio.wait((exchange,), timeout=self._settings.response_timeout_s)
        finally:
            if not exchange.done():
                # Also when the caller has left: what has begun may be answered yet, what has not must not begin.
                self._leave(exchange, handover, submission)
        if not exchange.done() and handover.begun:
            self._standing.doubt()
            return self._unknown("CARRIER_NO_ANSWER", f"no answer within {self._settings.response_timeout_s:g} s")
        await end_tasks([exchange])
        return self._outcome(exchange, handover, submission)

    async def _send(self, handover: Handover) -> Reply:
        if self._client is None:
            raise httpx.ConnectError("the carrier is stopped")
        return await self._client.send(handover)

    def _leave(self, exchange: asyncio.Task[Reply], handover: Handover, submission: Submission) -> None:
        if not handover.begun or not self._settings.late_answer_s or self._stopping:
            exchange.cancel()
            return
        self._kept += 1
        late = asyncio.create_task(self._wait_late(exchange, handover, submission))
        self._late.add(late)
        late.add_done_callback(self._late.discard)

    async def _wait_late(self, exchange: asyncio.Task[Reply], handover: Handover, submission: Submission) -> None:
        try:
            await asyncio.wait((exchange,), timeout=self._settings.late_answer_s)
            await end_tasks([exchange])
        finally:
            self._kept -= 1
            self._place_freed()
        outcome = self._outcome(exchange, handover, submission)
        if outcome.kind is OutcomeKind.UNKNOWN:
            return
        try:
            await self._late_outcomes([LateOutcome(submission.message_id, submission.epoch, outcome)])
        except Exception as error:  # noqa: BLE001 - a late outcome is a help; a receipt or the window still decides
            log.warning("africastalking.late_outcome_lost", carrier=self._name, error=type(error).__name__)

    # What came of it.

    def _outcome(self, exchange: asyncio.Task[Reply], handover: Handover, submission: Submission) -> Outcome:
        """Of an exchange that ended, well or not."""
        if exchange.cancelled():
            return self._broken(handover, "broken off")
        if (error := exchange.exception()) is not None:
            if not isinstance(error, httpx.HTTPError):
                log.error("africastalking.send_failed", carrier=self._name, exc_info=error)
            return self._broken(handover, type(error).__name__)
        reply = exchange.result()
        if not reply.is_whole:
            return self._unknown("CARRIER_UNCLEAR", f"HTTP {reply.status}, an answer too long to read")
        text = "".join(submission.segmentation.segments)
        answer = read_answer(reply.status, reply.body, recipient=submission.recipient, text=text)
        self._follow(answer)
        meaning = answer.meaning
        # The carrier counts and names a message as a whole: one id stands for each of our parts.
        ids = () if answer.message_id is None else (answer.message_id,) * submission.segmentation.units
        return Outcome(
            meaning.kind,
            self._name,
            carrier_message_ids=ids if meaning.kind in (OutcomeKind.ACCEPTED, OutcomeKind.UNKNOWN) else (),
            error_code=meaning.code,
            raw=answer.raw,
            only_elsewhere=meaning.only_elsewhere,
            carrier_parts=answer.parts,
            carrier_cost=answer.cost,
        )

    def _broken(self, handover: Handover, why: str) -> Outcome:
        self._standing.doubt()
        if handover.begun:
            return self._unknown("CARRIER_NO_ANSWER", f"no whole answer: {why}")
        return Outcome(OutcomeKind.NOT_TAKEN, self._name, error_code="CARRIER_UNAVAILABLE", raw=f"not written: {why}")

    def _unknown(self, code: str, raw: str) -> Outcome:
        return Outcome(OutcomeKind.UNKNOWN, self._name, error_code=code, raw=raw)

    def _follow(self, answer: Answer) -> None:
        """Draws the consequences of an answer for the messages after it."""
        if self._throttle is None:
            return
        if answer.meaning.consequence is Consequence.SLOW_DOWN:
            if self._throttle.throttled():
                log.warning("africastalking.throttled", carrier=self._name)
        elif answer.meaning != UNCLEAR:
            self._throttle.taken()
        self._standing.consequence(answer.meaning.consequence, answer.raw)

    async def _look(self) -> Reply:
        if self._client is None:
            raise httpx.ConnectError("the carrier is stopped")
        return await self._client.account()

    # Places.

    @property
    def _in_use(self) -> int:
        return self._reserved + self._submitting + self._kept
