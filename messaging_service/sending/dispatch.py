"""One claim loop for each route, and which of them a message belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from messaging_service.carriers.domain.routing import Routes
from messaging_service.sending.claim_loop import ClaimLoop
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.states import Priority
from service_kit.access.principal import AccessMode
from service_kit.errors import Kind, ServiceError


class WakeUps(Protocol):
    """How processes tell each other that the queue got something that they cannot send themselves."""

    def tell(self) -> None:
        """Wakes the other processes soon; many calls at a time are one signal. Never fails."""
        ...


class Dispatch:
    """All claim loops."""

    def __init__(self, routes: Routes, loops: Mapping[str, ClaimLoop], wake_ups: WakeUps) -> None:
        """`loops` by name of their route."""
        self._routes = routes
        self._loops = {route.name: loops[route.name] for route in routes}
        self._wake_ups = wake_ups

    @property
    def routes(self) -> frozenset[str]:
        """Names of the routes."""
        return frozenset(self._loops)

    def of(self, recipient: str, sender_id: str, priority: Priority, mode: AccessMode) -> ClaimLoop:
        """The loop that sends messages of this kind.

        Raises ServiceError NO_TEST_CARRIER for a test message where there is no sandbox carrier.
        """
        if mode is AccessMode.LIVE:
            return self._loops[self._routes.of(recipient, sender_id, priority).name]
        if self._routes.test is None:
            raise _no_test_carrier()
        return self._loops[self._routes.test.name]

    def queued(self, loop: ClaimLoop) -> None:
        """Notifies a loop that a due message was queued; where it has no room, other processes may have."""
        loop.queued()
        if not loop.carriers.free_slots:
            self._wake_ups.tell()

    def wake(self) -> None:
        """Another process queued something."""
        for loop in self._loops.values():
            loop.wake()

    def stop(self) -> None:
        """Ends `run`; claims that are under way are not cut off."""
        for loop in self._loops.values():
            loop.stop()

    async def run(self) -> None:
        """Runs until stopped."""
        async with asyncio.TaskGroup() as tasks:
            for loop in self._loops.values():
                tasks.create_task(loop.run())


def _no_test_carrier() -> ServiceError:
    return ServiceError(
        Kind.FAILED_PRECONDITION,
        reasons.NO_TEST_CARRIER,
        "test messages go to sandbox carriers, and there is none; nothing was stored. Ask the operator for one, or "
        "use a live credential",
    )
