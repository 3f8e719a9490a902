"""The carriers of one route: who takes the next message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol

from messaging_service.carriers.carrier_fleet import Fleet, Member, MemberSlot
from messaging_service.carriers.domain.carrier_control import CarrierMode
from messaging_service.carriers.domain.routing import Leg, Route
from messaging_service.carriers.domain.submission import Outcome, Submission


class RouteSlot(Protocol):
    """A place in the window of one of the carriers of a route."""

    @property
    def carrier(self) -> str:
        """Name of the carrier."""
        ...

    def release(self) -> None:
        """Gives the place back unused. Harmless after a submit or a second time."""
        ...

    async def submit(self, submission: Submission) -> Outcome:
        """Hands over one message, using up the place; see Carrier.submit."""
        ...


LONGEST_ARREAR = 2.0
"""Messages, at a weight of 1, that a carrier may be behind its share. One that was away does not get everything
when it is back."""


class CountedSlot:
    """A place that counts toward its carrier's share of the route, unless it is given back unused."""

    __slots__ = ("_give_back", "_is_reserved", "_slot")

    def __init__(self, slot: MemberSlot, give_back: Callable[[str], None]) -> None:
        self._slot = slot
        self._give_back = give_back
        self._is_reserved = True

    @property
    def carrier(self) -> str:
        """Name of the carrier."""
        return self._slot.carrier

    def release(self) -> None:
        """Gives the place back unused. Harmless after a submit or a second time."""
        if self._is_reserved:
            self._is_reserved = False
            self._give_back(self._slot.carrier)
        self._slot.release()

    async def submit(self, submission: Submission) -> Outcome:
        """Hands over one message, using up the place; see Carrier.submit."""
        self._is_reserved = False
        return await self._slot.submit(submission)


class RouteCarriers:
    """Chooses among the carriers of a route by rank, then by weight among those with a free place.

    Each carrier has a clock that one message moves by the inverse of its weight; whose clock is behind is next.
    """

    def __init__(self, route: Route, fleet: Fleet) -> None:
        """Raises KeyError when the route names a carrier that the fleet does not have."""
        self.route = route
        self._legs: list[tuple[Leg, Member]] = sorted(
            ((leg, fleet[leg.carrier]) for leg in route.legs), key=lambda pair: pair[0].rank
        )
        self._clock = dict.fromkeys((leg.carrier for leg in route.legs), 0.0)
        self._step = {leg.carrier: 1.0 / leg.weight for leg in route.legs}
        self._listeners: list[Callable[[], None]] = []
        self._change = asyncio.Event()
        for _, member in self._legs:
            member.on_change(self._changed)

    @property
    def names(self) -> frozenset[str]:
        """Names of all carriers of the route."""
        return frozenset(self._clock)

    @property
    def available(self) -> frozenset[str]:
        """Names of the carriers that take messages now, of every rank."""
        return frozenset(member.name for _, member in self._legs if member.is_available)

    @property
    def is_up(self) -> bool:
        """Whether a carrier of the route takes messages now."""
        return any(member.is_available for _, member in self._legs)

    @property
    def is_paused(self) -> bool:
        """Whether no carrier takes messages, and one of them because an operator said so for a while."""
        return not self.is_up and any(member.mode is CarrierMode.PAUSED for _, member in self._legs)

    @property
    def is_held_elsewhere(self) -> bool:
        """Whether no carrier takes messages here, and one of them because other replicas hold all of its binds."""
        return not self.is_up and any(member.is_held_elsewhere for _, member in self._legs)

    @property
    def free_slots(self) -> int:
        """How many reservations would succeed now."""
        return sum(member.free_slots for _, member in self._rank(()))

    def others(self, avoid: Collection[str]) -> list[str]:
        """The carriers that could still be asked when these are not."""
        return [leg.carrier for leg, _ in self._legs if leg.carrier not in avoid]

    def has_another(self, avoid: Collection[str]) -> bool:
        """Whether a carrier takes messages now that is none of these."""
        return bool(self._rank(avoid))

    def try_reserve(self, avoid: Collection[str] = ()) -> RouteSlot | None:
        """A place at the carrier whose turn it is, none of those to avoid; None when all windows are full."""
        ranked = self._rank(avoid)
        if len(ranked) == 1:  # as with most routes, and for each message: whose turn it is needs no thought
            return self._reserve(ranked[0][1])
        candidates = [member for _, member in ranked if member.free_slots]
        if not candidates:
            return None
        earliest = max(self._clock[member.name] for member in candidates) - LONGEST_ARREAR
        for member in candidates:
            self._clock[member.name] = max(self._clock[member.name], earliest)
        for member in sorted(candidates, key=lambda member: self._clock[member.name] + self._step[member.name]):
            if (slot := self._reserve(member)) is not None:
                return slot
        return None

    async def wait_until_up(self, timeout_s: float) -> bool:
        """True as soon as `is_up`; False when it did not come up in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self.is_up:
                    self._change.clear()
                    await self._change.wait()
        except TimeoutError:
            return False
        return True

    def on_slot_free(self, listener: Callable[[], None]) -> None:
        """Registers a callback for whenever a place may have become free."""
        self._listeners.append(listener)

    def _rank(self, avoid: Collection[str]) -> list[tuple[Leg, Member]]:
        """The available carriers of the lowest rank that has one."""
        chosen: list[tuple[Leg, Member]] = []
        for leg, member in self._legs:
            if chosen and leg.rank > chosen[0][0].rank:
                break
            if leg.carrier not in avoid and member.is_available:
                chosen.append((leg, member))
        return chosen

    def _reserve(self, member: Member) -> RouteSlot | None:
        slot = member.try_reserve()
        if slot is None:
            return None
        self._clock[member.name] += self._step[member.name]
        return CountedSlot(slot, self._give_back)

    def _give_back(self, carrier: str) -> None:
        self._clock[carrier] -= self._step[carrier]

    def _changed(self) -> None:
        self._change.set()
        for listener in self._listeners:
            listener()
