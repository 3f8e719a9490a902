"""One attempt: a claimed message is submitted and its outcome recorded."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Protocol

from messaging_service.carriers.carrier import LateOutcomeSink
from messaging_service.carriers.domain.submission import LateOutcome, Outcome, OutcomeKind, Submission, Validity
from messaging_service.carriers.route_carriers import RouteCarriers, RouteSlot
from messaging_service.sending.outbox import Claim, Settled, Settlement
from messaging_service.sending.outcomes import Outcomes
from messaging_service.shared.domain.message import Message, outbox_id
from messaging_service.shared.domain.states import State
from messaging_service.shared.group_commit import GroupCommit
from messaging_service.texts.segmentation import segment
from service_kit.access.principal import AccessMode
from service_kit.backoff import backoff_s
from service_kit.errors import Kind, ServiceError
from service_kit.tracing.span import Span, SpanKind, bind_span, current_span
from service_kit.tracing.tracer import Tracer

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0
SUBMIT = "submit"
"""What the span of an attempt is called until its carrier says what it does."""
SLOW_S = 1.0
"""A database that took this long to record an outcome held it up, like one that was away."""
SHORTEST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 1.0
"""Between two tries to record an outcome; each is as long as twice that."""


class AttemptLog(Protocol):
    """Where attempts report what an operator should see."""

    def settlement_lost(self, message_id: str, outcome: str) -> None:
        """An outcome could not be recorded while it was kept; the row will be, or is, unknown."""
        ...

    def settlement_crashed(self, message_id: str, error: Exception) -> None:
        """Recording an outcome failed with an error that nothing foresaw; it is tried again."""
        ...

    def attempt_failed(self, error: BaseException) -> None:
        """An attempt ended with an error that nothing foresaw; its row will become unknown."""
        ...


class Attempts:
    """Runs attempts to their end, whatever becomes of the callers that wait for them."""

    def __init__(
        self,
        settlements: GroupCommit[Settlement, Settled],
        outcomes: Outcomes,
        log: AttemptLog,
        *,
        settle_within_s: float,
        late: LateOutcomeSink | None = None,
        tracer: Tracer | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`settle_within_s`: how long recording an outcome is tried while the database is away.

        `late` records outcomes that others called unknown meanwhile; None: they stay unknown. `tracer`: None where
        tracing is off.
        """
        self._tracer = tracer
        self._settlements = settlements
        self._outcomes = outcomes
        self._log = log
        self._settle_within_s = settle_within_s
        self._late = late
        self._monotonic = monotonic
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, life: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs something that must not end with its caller; `drain` waits for it."""
        task = asyncio.get_running_loop().create_task(life)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.attempt_failed(error)

    async def drain(self, within_s: float = math.inf) -> None:
        """Returns when nothing is running any more, or the time is over; what is left ends with the process."""
        end = self._monotonic() + within_s
        while self._running and (left_s := end - self._monotonic()) > 0:
            await asyncio.wait(set(self._running), timeout=None if math.isinf(left_s) else left_s)

    async def run(self, claim: Claim, slot: RouteSlot, carriers: RouteCarriers, requeued: Callable[[], None]) -> None:
        """Submits a claimed message, records the outcome and notifies those that wait for it.

        `requeued` is called when the message went back to the queue for another carrier that takes messages now.
        """
        span, trace_id = self._span(claim, slot), None
        try:
            if span is None:
                outcome = await self._submit(claim, slot, carriers.route.mode)
            else:
                outcome, trace_id = await self._traced_submit(span, claim, slot, carriers.route.mode)
        finally:
            slot.release()
        settlement = _settlement(claim, outcome, carriers)
        if trace_id is not None:
            settlement = replace(settlement, trace_id=trace_id)
        message = await self._settle(settlement)
        if message is not None:
            self._outcomes.arrived(message)
            if message.state is State.READY and settlement.retry_in_s <= 0:
                requeued()

    async def _traced_submit(
        self, span: Span, claim: Claim, slot: RouteSlot, mode: AccessMode
    ) -> tuple[Outcome, bytes]:
        """The outcome, and the span of the attempt as it is stored. A carrier says itself what it does in it."""
        with span:
            outcome = await self._submit(claim, slot, mode)
            span.describe(attributes={"tukupay.outcome": outcome.kind.value})
            if outcome.error_code is not None:
                span.fail(outcome.error_code)
        if current_span() is None:
            # Nothing in this task is above it, so what comes after it is a part of it.
            bind_span(span)
        return outcome, span.context.octets

    def _span(self, claim: Claim, slot: RouteSlot) -> Span | None:
        """The span of the attempt, begun; None unless its message is sampled."""
        above = current_span()
        if above is None and claim.trace is None:
            return None
        attributes = {"messaging.message.id": outbox_id(claim.message.id), "tukupay.carrier": slot.carrier}
        if above is not None:
            return above.begin(SUBMIT, SpanKind.CLIENT, attributes=attributes)
        if self._tracer is None or claim.trace is None:
            return None
        links = (claim.trace,)
        return self._tracer.begin(SUBMIT, SpanKind.CLIENT, parent=claim.trace, links=links, attributes=attributes)

    async def _submit(self, claim: Claim, slot: RouteSlot, mode: AccessMode) -> Outcome:
        if claim.message.mode is not mode:
            # Whatever led it here, a test message reaches no phone, and a live one is not lost in a sandbox.
            return Outcome(OutcomeKind.NOT_TAKEN, slot.carrier, error_code="CARRIER_UNAVAILABLE", raw="other mode")
        left_s = claim.fence - self._monotonic()
        if left_s <= 0:
            # The lease may already be another's; no byte leaves under it.
            return Outcome(OutcomeKind.NOT_TAKEN, slot.carrier, error_code="LEASE_OVER", raw="not submitted")
        message, validity = claim.message, None
        if message.is_text_erased:
            return Outcome(OutcomeKind.REFUSED, slot.carrier, error_code="TEXT_ERASED", raw="not submitted")
        if message.content is not None:
            return Outcome(OutcomeKind.NOT_TAKEN, slot.carrier, error_code="KEYS_UNAVAILABLE", raw="not submitted")
        if claim.valid_until is not None and message.expires_at is not None:
            validity = Validity(message.expires_at, claim.valid_until - self._monotonic())
            if validity.left_s <= 0:
                return Outcome(OutcomeKind.NOT_TAKEN, slot.carrier, error_code="VALIDITY_OVER", raw="not submitted")
        return await slot.submit(
            Submission(
                message_id=outbox_id(message.id),
                sender_id=message.sender_id,
                recipient=message.recipient,
                segmentation=segment(message.text),
                epoch=claim.epoch,
                validity=validity,
                send_within_s=left_s,
            ),
        )

    async def _settle(self, settlement: Settlement) -> Message | None:
        """The message as it then stands; None when its outcome could not be recorded in time."""
        message_id = outbox_id(settlement.message.id)
        began, failures = self._monotonic(), 0
        give_up = began + self._settle_within_s
        while True:
            try:
                return await self._record(settlement, -math.inf if failures else began)
            except ServiceError as error:
                if error.kind not in (Kind.UNAVAILABLE, Kind.OVERLOADED):
                    raise
            except Exception as error:  # noqa: BLE001 - the carrier's answer is kept as long as that may help
                self._log.settlement_crashed(message_id, error)
            if self._monotonic() >= give_up:
                self._log.settlement_lost(message_id, settlement.outcome.kind.value)
                return None
            failures += 1
            await asyncio.sleep(backoff_s(failures, SHORTEST_PAUSE_S, LONGEST_PAUSE_S))

    async def _record(self, settlement: Settlement, began: float) -> Message:
        """The message as it then stands; `began`: when it was tried for the first time."""
        settled = await self._settlements.submit(settlement)
        is_late = settled.message.state is State.UNKNOWN and settlement.outcome.kind is not OutcomeKind.UNKNOWN
        # A process that stood still itself finds the database quick: what it knows may be old, and a receipt tells too.
        is_held_up = self._monotonic() - began >= SLOW_S
        if settled.applied or not is_late or not is_held_up or self._late is None:
            return settled.message
        # The lease was over before the database was back, so somebody called the outcome unknown meanwhile.
        outcome = LateOutcome(outbox_id(settlement.message.id), settlement.epoch, settlement.outcome)
        await self._late([outcome])
        return (await self._settlements.submit(settlement)).message


def _settlement(claim: Claim, outcome: Outcome, carriers: RouteCarriers) -> Settlement:
    """What an outcome means for the message: the next carrier may only be asked when this one did not take it."""
    if outcome.kind is not OutcomeKind.NOT_TAKEN:
        return Settlement(claim.message, claim.epoch, outcome, retry_in_s=0)
    avoid = claim.avoid | {outcome.carrier}
    if not outcome.only_elsewhere:
        # Every carrier gets its turn at once; only when all had theirs, the message waits.
        at_once = claim.tries + 1 < len(carriers.names) and carriers.has_another(avoid)
        return Settlement(claim.message, claim.epoch, outcome, 0 if at_once else _retry_in_s(claim.tries))
    if not carriers.others(avoid):
        return Settlement(claim.message, claim.epoch, replace(outcome, kind=OutcomeKind.REFUSED), retry_in_s=0)
    retry_in_s = 0 if carriers.has_another(avoid) else _retry_in_s(claim.tries)
    return Settlement(claim.message, claim.epoch, outcome, retry_in_s, avoid=outcome.carrier)


def _retry_in_s(tries: int) -> float:
    """Exponential with jitter, so that a throttled crowd does not come back all at once."""
    return backoff_s(tries + 1, FIRST_RETRY_S / 2, LONGEST_RETRY_S)
