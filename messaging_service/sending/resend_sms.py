"""Sends a failed entry again."""

from __future__ import annotations

from uuid import UUID

from messaging_service.carriers.carrier_presence import require_carrier
from messaging_service.sending.dispatch import Dispatch
from messaging_service.sending.domain.entry_rules import check_mode
from messaging_service.sending.outbox import Outbox
from messaging_service.sending.outcomes import Outcomes
from messaging_service.shared.domain.message import Message, no_such_entry, outbox_id
from messaging_service.shared.phone_numbers import AccountDestinationCheck, destination_refused
from service_kit.access.principal import AccessMode, Accounts


class ResendSms:
    """The use case behind ResendSms: a new attempt on the same record, at its frozen price."""

    def __init__(
        self,
        outbox: Outbox,
        outcomes: Outcomes,
        dispatch: Dispatch,
        *,
        destination_problem: AccountDestinationCheck,
        max_retries: int,
        carrier_grace_s: float,
    ) -> None:
        self._outbox = outbox
        self._carrier_grace_s = carrier_grace_s
        self._outcomes = outcomes
        self._dispatch = dispatch
        self._destination_problem = destination_problem
        self._max_retries = max_retries

    async def __call__(
        self,
        message_id: UUID,
        wait_s: float,
        answer_by: float | None = None,
        *,
        accounts: Accounts,
        mode: AccessMode = AccessMode.LIVE,
        api_key: str | None = None,
    ) -> Message:
        """Queues the attempt and waits for its outcome for `wait_s` at most, but not beyond `answer_by`.

        `answer_by` is an instant on the loop's clock, None for a caller without a deadline. `accounts`: those of the
        caller, None for all; an entry of another one is not found. `mode`: that of the caller; that of the message
        decides which carriers are asked. `api_key`: the one that it shows, if any.

        Raises as Outbox.resend does, DESTINATION_NOT_ALLOWED when messages to its country are not allowed any more,
        NO_TEST_CARRIER and CARRIER_UNAVAILABLE; then nothing was changed.
        """
        stored = await self._outbox.get(message_id, accounts)
        if stored is None:
            raise no_such_entry(outbox_id(message_id))
        check_mode(stored, mode)
        if (problem := await self._destination_problem(stored.account_id, stored.recipient)) is not None:
            raise destination_refused(problem)
        loop = self._dispatch.of(stored.recipient, stored.sender_id, stored.priority, stored.mode)
        await require_carrier(loop.carriers, self._carrier_grace_s)
        message = await self._outbox.resend(
            message_id, self._max_retries, loop.carriers.route.name, accounts=accounts, api_key=api_key
        )
        outcome = self._outcomes.expect(message_id)
        try:
            self._dispatch.queued(loop)
            return await self._outcomes.settled(message, outcome, wait_s, answer_by)
        finally:
            self._outcomes.forget(message_id, outcome)
