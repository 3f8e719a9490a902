"""All carriers of this process, each behind its breaker and under its operator's word."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from messaging_service.carriers.carrier import Carrier, Slot
from messaging_service.carriers.carrier_traffic import Traffic, TrafficCount
from messaging_service.carriers.domain.carrier_control import CarrierMode
from messaging_service.carriers.domain.carrier_status import BindState, CarrierStatus
from messaging_service.carriers.domain.circuit_breaker import BreakerSettings, BreakerState, CircuitBreaker
from messaging_service.carriers.domain.submission import Outcome, OutcomeKind, Submission

SYSTEM_ERRORS = frozenset({"CARRIER_BUSY"})
"""Codes of outcomes that were not taken and speak against the carrier's system. One that asks for a slower pace,
or a link that was down before a byte left, does not."""


class RunningCarrier(Carrier, Protocol):
    """A carrier with a life."""

    async def start(self) -> None:
        """Begins to connect."""
        ...

    async def stop(self, timeout_s: float | None = None) -> None:
        """Waits for outstanding answers, then disconnects; it can be started again."""
        ...


class FleetLog(Protocol):
    """Where the fleet reports what an operator should see."""

    def breaker_opened(self, carrier: str, seconds: float) -> None:
        """A carrier failed so often that it is left alone for a while."""
        ...

    def breaker_closed(self, carrier: str) -> None:
        """A carrier that was left alone is used again."""
        ...

    def carrier_mode(self, carrier: str, mode: CarrierMode) -> None:
        """An operator's word took effect."""
        ...

    def carrier_mode_failed(self, carrier: str, mode: CarrierMode, error: Exception) -> None:
        """An operator's word could not be followed; it is tried again."""
        ...


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """A carrier with what the fleet knows of it."""

    carrier: CarrierStatus
    mode: CarrierMode
    breaker: BreakerState
    traffic: Traffic
    is_sandbox: bool = False
    """Whether it reaches no phones."""


class MemberSlot:
    """A place in the window of one carrier."""

    __slots__ = ("_is_reserved", "_member", "_slot")

    def __init__(self, member: Member, slot: Slot) -> None:
        self._member = member
        self._slot = slot
        self._is_reserved = True

    @property
    def carrier(self) -> str:
        """Name of the carrier."""
        return self._member.name

    def release(self) -> None:
        """Gives the place back unused. Harmless after a submit or a second time."""
        if self._is_reserved:
            self._is_reserved = False
            self._member.breaker.given_back()
        self._slot.release()

    async def submit(self, submission: Submission) -> Outcome:
        """Hands over one message, using up the place; see Carrier.submit."""
        self._is_reserved = False
        return await self._member.submit(self._slot, submission)


class Member:
    """One carrier of the fleet."""

    def __init__(self, carrier: RunningCarrier, log: FleetLog, breaker: CircuitBreaker, traffic: TrafficCount) -> None:
        self.carrier = carrier
        self.breaker = breaker
        self.mode = CarrierMode.RUNNING
        self._log = log
        self._traffic = traffic
        self._was_up = False
        self._listeners: deque[Callable[[], None]] = deque()
        carrier.on_slot_free(self.changed)

    @property
    def name(self) -> str:
        """Name of the carrier."""
        return self.carrier.name

    @property
    def is_available(self) -> bool:
        """Whether it is connected, wanted, and not left alone."""
        return self.mode is CarrierMode.RUNNING and self.carrier.is_up and self.breaker.allows

    @property
    def is_held_elsewhere(self) -> bool:
        """Whether it is wanted, and has no bind here because other replicas hold the right to all of them."""
        binds = self.carrier.status().binds if self.mode is CarrierMode.RUNNING else ()
        return bool(binds) and all(bind.state is BindState.UNLEASED for bind in binds)

    @property
    def free_slots(self) -> int:
        """How many reservations would succeed now."""
        if not self.is_available:
            return 0
        return self.carrier.free_slots if self.breaker.state is BreakerState.CLOSED else min(1, self.carrier.free_slots)

    def try_reserve(self) -> MemberSlot | None:
        """A place in its window, or None."""
        if not self.is_available or (slot := self.carrier.try_reserve()) is None:
            return None
        self.breaker.reserved()
        return MemberSlot(self, slot)

    async def submit(self, slot: Slot, submission: Submission) -> Outcome:
        """Hands over one message and learns from what becomes of it."""
        outcome = await self.carrier.submit(slot, submission)
        self._traffic.count(outcome)
        if outcome.kind is OutcomeKind.UNKNOWN or outcome.error_code in SYSTEM_ERRORS:
            if self.breaker.failed():
                self._left_alone()
        else:
            was_closed = self.breaker.state is BreakerState.CLOSED
            self.breaker.succeeded()
            if not was_closed and self.breaker.state is BreakerState.CLOSED:
                self._log.breaker_closed(self.name)
                self.changed()
        return outcome

    def on_change(self, listener: Callable[[], None]) -> None:
        """Registers a callback for whenever a message may be taken that could not be taken before."""
        self._listeners.append(listener)

    def changed(self) -> None:
        """Calls the listeners: a message may be taken now."""
        is_up = self.carrier.is_up
        if is_up and not self._was_up:
            self.breaker.reset()  # a connection that was made anew is not the one that failed
        self._was_up = is_up
        # Whoever comes first takes what there is: everybody gets to be first in turn.
        self._listeners.rotate(-1)
        for listener in tuple(self._listeners):
            listener()

    def status(self) -> MemberStatus:
        """How it stands now."""
        return MemberStatus(self.carrier.status(), self.mode, self.breaker.state, self._traffic.last_minute())

    def _left_alone(self) -> None:
        seconds = self.breaker.opens_in_s or 0.0
        self._log.breaker_opened(self.name, seconds)
        asyncio.get_running_loop().call_later(seconds, self.changed)


class Fleet:
    """The carriers by name."""

    def __init__(
        self,
        carriers: Sequence[RunningCarrier],
        log: FleetLog,
        breaker: BreakerSettings,
        *,
        drain_s: float,
        sandboxes: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`drain_s`: how long a carrier that is taken out may take to end what is under way.

        `sandboxes`: names of those that reach no phones.
        """
        self._sandboxes = frozenset(sandboxes)
        self._log = log
        self._drain_s = drain_s
        self._members = {
            carrier.name: Member(carrier, log, CircuitBreaker(breaker, clock), TrafficCount(clock))
            for carrier in carriers
        }
        if len(self._members) < len(carriers):
            raise ValueError("two carriers have the same name")
        self._connected: set[str] = set()

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def __getitem__(self, name: str) -> Member:
        return self._members[name]

    def statuses(self) -> list[MemberStatus]:
        """How each carrier stands now."""
        return [replace(member.status(), is_sandbox=member.name in self._sandboxes) for member in self]

    async def start(self) -> None:
        """Connects every carrier that is not drained."""
        for member in self:
            if member.mode is not CarrierMode.DRAINED:
                self._connected.add(member.name)
                await member.carrier.start()

    async def stop(self, timeout_s: float) -> None:
        """Ends what is under way and disconnects."""
        connected, self._connected = self._connected, set()
        await asyncio.gather(*(self._members[name].carrier.stop(timeout_s) for name in connected))

    async def follow(self, wanted: Mapping[str, CarrierMode]) -> None:
        """Brings every carrier into the mode that is wanted of it; RUNNING where nothing is said."""
        await asyncio.gather(*(self._lead(member, wanted.get(member.name, CarrierMode.RUNNING)) for member in self))

    async def _lead(self, member: Member, mode: CarrierMode) -> None:
        if member.mode is mode:
            return
        before, member.mode = member.mode, mode
        try:
            if mode is CarrierMode.DRAINED:
                self._connected.discard(member.name)
                await member.carrier.stop(self._drain_s)
            elif before is CarrierMode.DRAINED:
                self._connected.add(member.name)
                await member.carrier.start()
        except Exception as error:  # noqa: BLE001 - reported; one carrier must not keep the others from their modes
            member.mode = before
            self._log.carrier_mode_failed(member.name, mode, error)
            return
        self._log.carrier_mode(member.name, mode)
        member.changed()
