"""Sends one SMS: checked, priced, recorded with its money on hold, submitted, settled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from messaging_service.carriers.carrier_presence import require_carrier
from messaging_service.carriers.route_carriers import RouteSlot
from messaging_service.prices.prices import Prices
from messaging_service.sending.attempts import Attempts
from messaging_service.sending.claim_loop import ClaimLoop
from messaging_service.sending.dispatch import Dispatch
from messaging_service.sending.domain.send_request import SendRequest
from messaging_service.sending.domain.validation import SendDraft, expiry_over, validate
from messaging_service.sending.outbox import Acceptance, Accepted, Claim, Outbox, valid_until
from messaging_service.sending.outcomes import Outcomes
from messaging_service.shared.domain.message import Message, outbox_id
from messaging_service.shared.domain.money import free_of_charge
from messaging_service.shared.domain.states import State
from messaging_service.shared.group_commit import GroupCommit
from messaging_service.shared.phone_numbers import AccountDestinationCheck, PhoneNumberCheck, destination_refused
from service_kit.access.principal import AccessMode
from service_kit.errors import ServiceError, invalid
from service_kit.tracing.span import current_octets

LOOKUPS = 4
"""Requests looked for on record at once while no carrier or price can be had. A whole batch may be; it waits its turn
here, and leaves connections to those that settle what was sent."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The answer to a request to send."""

    message: Message
    """As it stands when the carrier has answered or the wait is over."""
    replayed: bool
    """True when the message id was known and `message` is the stored entry."""


@dataclass(frozen=True, slots=True)
class SendLimits:
    """What an operator may set."""

    max_units: int
    carrier_grace_s: float
    """How long a send that is due now waits for a carrier to come up before it is refused."""
    claim_s: float
    """How long an inline claim may be used: the lease less its margin."""


class SendSms:
    """The use case behind SendSms and each item of SendSmsBatch."""

    def __init__(
        self,
        *,
        prices: Prices,
        acceptances: GroupCommit[Acceptance, Accepted],
        outbox: Outbox,
        attempts: Attempts,
        outcomes: Outcomes,
        dispatch: Dispatch,
        phone_problem: PhoneNumberCheck,
        destination_problem: AccountDestinationCheck,
        limits: SendLimits,
        new_id: Callable[[], UUID],
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prices = prices
        self._acceptances = acceptances
        self._outbox = outbox
        self._attempts = attempts
        self._outcomes = outcomes
        self._dispatch = dispatch
        self._phone_problem = phone_problem
        self._destination_problem = destination_problem
        self._limits = limits
        self._new_id = new_id
        self._now = now
        self._monotonic = monotonic
        self._lookups = asyncio.Semaphore(LOOKUPS)

    async def __call__(self, draft: SendDraft, wait_s: float, answer_by: float | None = None) -> Sent:
        """Sends, and waits for the outcome for `wait_s` at most once the message is on record.

        It does not wait beyond `answer_by`, an instant on the loop's clock; None for a caller without a deadline.

        Raises ServiceError; then nothing was stored or charged, except that a lost database connection
        leaves that open, which a repetition with the same message id resolves.
        """
        now = self._now()
        request = validate(draft, now=now, phone_problem=self._phone_problem, max_units=self._limits.max_units)
        loop = self._dispatch.of(request.recipient, request.sender_id, request.priority, request.mode)
        try:
            if over := expiry_over(request.expires_at, now):
                raise invalid([over])
            if (problem := await self._destination_problem(request.account_id, request.recipient)) is not None:
                raise destination_refused(problem)
            if not request.is_future:
                await require_carrier(loop.carriers, self._limits.carrier_grace_s)
            at = request.scheduled_at if request.is_future else None
            if request.mode is AccessMode.TEST:
                found = free_of_charge(at or now)
            else:
                found = await self._prices.price_of(request.account_id, request.app_id, at)
        except ServiceError:
            # What is on record already needs neither carrier nor price, and may have expired since, or its country
            # may have been taken off the list.
            if (stored := await self._stored(request)) is not None:
                return Sent(stored, replayed=True)
            raise
        message_id = self._new_id()
        slot = _reserve(request, loop)
        acceptance = Acceptance(
            message_id=message_id,
            request=request,
            price=found.price,
            priced_at=found.at,
            price_known_at=found.known_at,
            key=request.client_message_id or outbox_id(message_id),
            fingerprint=request.fingerprint(),
            claimed=slot is not None,
            route=loop.carriers.route.name,
            api_key=draft.api_key,
            trace_id=current_octets(),
        )
        recorded: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        outcome = self._outcomes.expect(message_id)
        try:
            # The life goes on when the caller leaves: what is on record is sent.
            self._attempts.start(self._live(acceptance, loop, slot, recorded))
            accepted = await recorded
            if not accepted.replayed:
                return Sent(await self._settled(accepted.message, outcome, wait_s, answer_by), replayed=False)
        finally:
            self._outcomes.forget(message_id, outcome)
        # A repetition that overtakes the first request waits with it.
        stored = accepted.message
        outcome = self._outcomes.expect(stored.id)
        try:
            return Sent(await self._settled(stored, outcome, wait_s, answer_by), replayed=True)
        finally:
            self._outcomes.forget(stored.id, outcome)

    async def _settled(
        self, message: Message, outcome: asyncio.Future[Message], wait_s: float, answer_by: float | None
    ) -> Message:
        """The message when its outcome has come, or as it stands when the wait is over."""
        if message.state not in (State.READY, State.SUBMITTING) or wait_s <= 0:
            return message
        return await self._outcomes.settled(message, outcome, wait_s, answer_by)

    async def _stored(self, request: SendRequest) -> Message | None:
        """The entry that an earlier request with the same message id and content made; None when none did."""
        if request.client_message_id is None:
            return None
        async with self._lookups:
            return await self._outbox.find(request.account_id, request.client_message_id, request.fingerprint())

    async def _live(
        self,
        acceptance: Acceptance,
        loop: ClaimLoop,
        slot: RouteSlot | None,
        recorded: asyncio.Future[Accepted],
    ) -> None:
        began = self._monotonic()
        try:
            accepted = await self._acceptances.submit(acceptance)
        except BaseException as error:
            if slot is not None:
                slot.release()
            if not isinstance(error, Exception):
                recorded.cancel()
                raise
            if not recorded.done():
                recorded.set_exception(error)  # the caller answers for it
            elif not isinstance(error, ServiceError):
                raise
            return
        if not recorded.done():
            recorded.set_result(accepted)
        message = accepted.message
        if slot is not None:
            if accepted.replayed or message.state is not State.SUBMITTING:
                slot.release()
            else:
                claim = Claim(
                    message,
                    epoch=1,
                    tries=0,
                    fence=began + self._limits.claim_s,
                    valid_until=valid_until(message, began, message.created_at),
                )
                await self._attempts.run(claim, slot, loop.carriers, loop.queued)
        elif message.state is State.READY:
            self._dispatch.queued(loop)


def _reserve(request: SendRequest, loop: ClaimLoop) -> RouteSlot | None:
    """A place in a carrier's window, when this process may send at once.

    A scheduled time, past or not, is compared on the database's clock only, so the queue decides. While
    messages wait in the queue, new ones wait behind them.
    """
    if request.scheduled_at is not None or loop.backlogged:
        return None
    return loop.carriers.try_reserve()
