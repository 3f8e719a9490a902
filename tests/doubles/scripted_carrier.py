"""A carrier whose answers a test decides."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from messaging_service.carriers.carrier import Slot
from messaging_service.carriers.domain.carrier_status import BindStatus, CarrierStatus
from messaging_service.carriers.domain.submission import Outcome, Submission
from tests.contract.sms_examples import accepted

Answer = Callable[[Submission], Outcome | Awaitable[Outcome]]


class ScriptedSlot:
    """A place that is given back once."""

    def __init__(self, carrier: ScriptedCarrier) -> None:
        self._carrier = carrier
        self._taken = True

    def release(self) -> None:
        if self._taken:
            self._taken = False
            self._carrier.freed()

    def spend(self, carrier: ScriptedCarrier) -> None:
        if not self._taken or self._carrier is not carrier:
            raise ValueError("a slot serves one submit, at the carrier that gave it")
        self._taken = False


class ScriptedCarrier:
    """Implements RunningCarrier. Accepts everything at once unless told otherwise."""

    def __init__(self, window: int = 10, answer: Answer | None = None, name: str = "smpp") -> None:
        self._name = name
        self.answer: Answer = answer or (lambda submission: accepted(*_ids(submission), carrier=name))
        self.submissions: list[Submission] = []
        self._window = window
        self._taken = 0
        self._up = asyncio.Event()
        self._up.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._news = asyncio.Condition()
        self._listeners: list[Callable[[], None]] = []

        self.is_started = True
        self.binds: tuple[BindStatus, ...] = ()
        """What its status tells of binds."""

    async def start(self) -> None:
        self.is_started = True

    async def stop(self, timeout_s: float | None = None) -> None:
        async with asyncio.timeout(timeout_s):
            await self._idle.wait()
        self.is_started = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def is_up(self) -> bool:
        return self._up.is_set()

    @property
    def free_slots(self) -> int:
        return self._window - self._taken if self.is_up else 0

    def try_reserve(self) -> Slot | None:
        if self.free_slots <= 0:
            return None
        self._taken += 1
        self._idle.clear()
        return ScriptedSlot(self)

    async def wait_until_up(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self._up.wait()
        except TimeoutError:
            return False
        return True

    def on_slot_free(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def status(self) -> CarrierStatus:
        return CarrierStatus(self.name, "smpp", self.is_up, self._window, self._taken, binds=self.binds, remark=None)

    async def submit(self, slot: Slot, submission: Submission) -> Outcome:
        assert isinstance(slot, ScriptedSlot)
        slot.spend(self)
        self.submissions.append(submission)
        async with self._news:
            self._news.notify_all()
        try:
            outcome = self.answer(submission)
            return outcome if isinstance(outcome, Outcome) else await outcome
        finally:
            self.freed()

    # What tests do.

    def freed(self) -> None:
        self._taken -= 1
        if not self._taken:
            self._idle.set()
        for listener in self._listeners:
            listener()

    def go_down(self) -> None:
        self._up.clear()

    def come_up(self) -> None:
        self._up.set()
        for listener in self._listeners:
            listener()

    async def submitted(self, count: int) -> list[Submission]:
        """Returns when so many messages have been handed over."""
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: len(self.submissions) >= count)
        return self.submissions


def _ids(submission: Submission) -> list[str]:
    return [f"{submission.message_id[-12:]}{part}" for part in range(submission.segmentation.units)]
