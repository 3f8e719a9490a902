"""Sends a failed entry again."""

from __future__ import annotations

import asyncio
from uuid import UUID

from messaging_service.domain.message import Message
from messaging_service.use_cases.carrier import Carrier
from messaging_service.use_cases.carrier_presence import require_carrier
from messaging_service.use_cases.claim_loop import ClaimLoop
from messaging_service.use_cases.outbox import Outbox
from messaging_service.use_cases.outcomes import Outcomes


class ResendSms:
    """The use case behind ResendSms: a new attempt on the same record, at its frozen price."""

    def __init__(
        self,
        outbox: Outbox,
        outcomes: Outcomes,
        claims: ClaimLoop,
        carrier: Carrier,
        *,
        max_retries: int,
        carrier_grace_s: float,
    ) -> None:
        self._outbox = outbox
        self._carrier = carrier
        self._carrier_grace_s = carrier_grace_s
        self._outcomes = outcomes
        self._claims = claims
        self._max_retries = max_retries

    async def __call__(self, message_id: UUID, wait_s: float) -> Message:
        """Queues the attempt and waits for its outcome for `wait_s` at most.

        Raises as Outbox.resend does, and CARRIER_UNAVAILABLE; then nothing was changed.
        """
        await require_carrier(self._carrier, self._carrier_grace_s)
        message = await self._outbox.resend(message_id, self._max_retries)
        outcome = self._outcomes.expect(message_id)
        try:
            self._claims.queued()
            async with asyncio.timeout(wait_s):
                return await outcome
        except TimeoutError:
            return await self._outbox.get(message_id) or message
        finally:
            self._outcomes.forget(message_id, outcome)
