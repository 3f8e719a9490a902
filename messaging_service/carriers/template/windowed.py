"""What every carrier does with the places of its window: gives them out, takes them back, and reports free ones."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import structlog

from messaging_service.carriers.carrier import Slot
from messaging_service.carriers.domain.submission import Outcome, Submission
from messaging_service.carriers.template.rate_limit import RateLimit
from service_kit.tracing.span import Attributes, current_span

log = structlog.get_logger()


class CarrierSlot:
    """Serves one submit, at the carrier that gave it."""

    __slots__ = ("_carrier", "_give_back", "_reserved")

    def __init__(self, carrier: object, give_back: Callable[[], None]) -> None:
        """`give_back` is called once when the place is not used."""
        self._carrier = carrier
        self._give_back = give_back
        self._reserved = True

    def release(self) -> None:
        """Gives the place back unused. Harmless after a submit or a second time."""
        if self._reserved:
            self._reserved = False
            self._give_back()

    def spend(self, carrier: object) -> None:
        """Turns the reservation into a submit. Raises ValueError for a slot without one."""
        if not self._reserved or self._carrier is not carrier:
            raise ValueError("a slot serves one submit, at the carrier that gave it")
        self._reserved = False


class WindowedCarrier(ABC):
    """The half of the port Carrier that does not depend on the protocol; a subclass says how one submit goes."""

    traced_as: ClassVar[tuple[str, Attributes]]
    """What the span of a submit is called, and its attributes."""

    def __init__(self, name: str, max_submits_per_s: float) -> None:
        """`max_submits_per_s`: 0 for no limit but the window."""
        self._name = name
        self._rate = RateLimit(max_submits_per_s, self._changed)
        self._listeners: list[Callable[[], None]] = []
        self._notice_due = False
        self._reserved = 0
        self._submitting = 0
        self._up = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def name(self) -> str:
        """Stable name, for records and metrics."""
        return self._name

    @property
    @abstractmethod
    def is_up(self) -> bool:
        """Whether the carrier takes messages now."""

    @property
    @abstractmethod
    def _room(self) -> int:
        """Places of the window that nobody has, whatever the rate allows; 0 when the carrier is not up."""

    @abstractmethod
    async def _submit(self, submission: Submission) -> Outcome:
        """Hands over one message."""

    @property
    def free_slots(self) -> int:
        """How many reservations would succeed now."""
        room = max(0, self._room)
        ready = self._rate.ready if room else None
        return room if ready is None else min(room, ready)

    def try_reserve(self) -> Slot | None:
        """A place in the window, or None when it is full, throttled, ahead of its rate, or not up."""
        if not self.free_slots:
            return None
        self._rate.take()
        self._reserved += 1
        self._idle.clear()
        return CarrierSlot(self, self._unreserve)

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
        """Registers a callback; places that become free in one turn of the loop are reported together."""
        self._listeners.append(listener)

    async def submit(self, slot: Slot, submission: Submission) -> Outcome:
        """Hands over one message, using up the slot. Raises ValueError for a slot that is used up."""
        if not isinstance(slot, CarrierSlot):
            raise ValueError("the slot is another carrier's")  # noqa: TRY004 - a wrong value of the port's type
        slot.spend(self)
        self._submitting += 1
        self._reserved -= 1
        if (span := current_span()) is not None:
            span.describe(*self.traced_as)
        try:
            return await self._submit(submission)
        finally:
            self._submitting -= 1
            self._place_freed()

    async def _wait_idle(self, timeout_s: float) -> None:
        """Returns when no place is taken, or the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            log.warning("carrier.stopped_with_submits", carrier=self._name, submits=self._submitting)

    def _unreserve(self) -> None:
        self._rate.give_back()
        self._reserved -= 1
        self._place_freed()

    def _changed(self) -> None:
        """To be called when the carrier may have come up, or may take more."""
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
