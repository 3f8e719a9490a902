"""Takes due messages of a route from the queue whenever one of its carriers has room."""

from __future__ import annotations

import random
from collections.abc import Iterator

from messaging_service.carriers.domain.submission import Outcome, OutcomeKind, Submission
from messaging_service.carriers.route_carriers import RouteCarriers, RouteSlot
from messaging_service.sending.attempts import Attempts
from messaging_service.sending.claim_meter import ClaimMeter, UnmeteredClaims
from messaging_service.sending.outbox import Claim, Outbox
from service_kit.duties.duty import Duty, DutyLog

SHORTEST_PAUSE_S = 0.02
"""A due row may be locked by another process for a moment; looking again at once would spin."""


class NoSlot:
    """Stands for a place that could not be had; the message goes back to the queue."""

    carrier = ""

    def release(self) -> None:
        """Nothing to give back."""

    async def submit(self, submission: Submission) -> Outcome:
        """No byte leaves."""
        return Outcome(OutcomeKind.NOT_TAKEN, self.carrier, error_code="CARRIER_UNAVAILABLE", raw="no free window")


class ClaimLoop:
    """Scheduled messages, resends, and sends that found the window full start here.

    Never claims more than the carriers have free slots for: slots are reserved first, then as many rows are
    claimed, and what is left over is given back.
    """

    def __init__(
        self,
        outbox: Outbox,
        carriers: RouteCarriers,
        attempts: Attempts,
        log: DutyLog,
        *,
        poll_s: float,
        max_batch: int = 256,
        meter: ClaimMeter | None = None,
    ) -> None:
        """`poll_s`: longest time between two looks at the queue, which other processes also fill.

        `meter` counts every look; None for no figures.
        """
        self._meter = meter or UnmeteredClaims()
        self._outbox = outbox
        self.carriers = carriers
        self._attempts = attempts
        self._poll_s = poll_s
        self._max_batch = max_batch
        self._duty = Duty("claims", self._look, log, every_s=poll_s)
        self.backlogged = False
        """Whether due messages may be waiting; then new sends queue up too."""

    def queued(self) -> None:
        """Notifies the loop that a due message was queued; new sends line up behind it until it was looked at."""
        self.backlogged = True
        self._duty.wake()

    def wake(self) -> None:
        """Makes the loop look at the queue now, as another process may have put something there."""
        self._duty.wake()

    def stop(self) -> None:
        """Ends `run` after the look that it is taking: a claim must not be cut off in mid-commit."""
        self._duty.stop()

    async def run(self) -> None:
        """Runs until stopped."""
        self.carriers.on_slot_free(self._slot_free)
        await self._duty.run()

    def _slot_free(self) -> None:
        if self.backlogged:
            self._duty.wake()

    async def _look(self) -> float:
        """Claims what fits; how long to pause, 0 for not at all."""
        slots = self._reserve()
        if not slots:
            return self._poll_s
        claims: list[Claim] = []
        try:
            route, carriers = self.carriers.route.name, self.carriers.available
            claims = list(await self._outbox.claim(len(slots), route, carriers))
            self._meter.claimed(len(claims))
            self.backlogged = len(claims) == len(slots)
            if self.backlogged:
                return 0
            next_due_s = await self._outbox.seconds_to_next_due(route, carriers)
            jittered = self._poll_s * (0.75 + random.random() / 2)  # noqa: S311 - jitter
            return jittered if next_due_s is None else max(SHORTEST_PAUSE_S, min(jittered, next_due_s))
        finally:
            for claim, slot in self._pair(claims, slots):
                self._attempts.start(self._attempts.run(claim, slot, self.carriers, self.queued))
            for slot in slots:
                slot.release()

    def _pair(self, claims: list[Claim], slots: list[RouteSlot]) -> Iterator[tuple[Claim, RouteSlot]]:
        """Each claim with a slot that it can use, taken off the list."""
        for claim in sorted(claims, key=lambda claim: -len(claim.avoid)):
            fitting = next((slot for slot in slots if slot.carrier not in claim.avoid), None)
            if fitting is not None:
                slots.remove(fitting)
            else:
                fitting = self.carriers.try_reserve(claim.avoid) or NoSlot()
            yield claim, fitting

    def _reserve(self) -> list[RouteSlot]:
        # A look out of habit must not take the whole window from the sends that arrive meanwhile.
        wanted = self._max_batch if self.backlogged else max(1, self.carriers.free_slots // 2)
        slots: list[RouteSlot] = []
        while len(slots) < wanted and (slot := self.carriers.try_reserve()) is not None:
            slots.append(slot)
        return slots
