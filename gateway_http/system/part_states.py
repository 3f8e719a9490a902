"""How the services behind the gateway are, and whether the gateway should get requests."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Final

from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway_http.system.system_models import PartState

CHECK_EVERY_S: Final = 1.0
PATIENCE_S: Final = 5.0
"""How long a service may say nothing good before the gateway should get no requests: while it has several replicas and
one of them ends, that one is asked now and then."""
_TIMEOUT_S: Final = 1.0


class PartStates:
    """Asks the services how they are."""

    def __init__(self, channels: Mapping[str, aio.Channel]) -> None:
        """`channels` by the name of the part."""
        self._stubs = {part: health_pb2_grpc.HealthStub(channel) for part, channel in channels.items()}

    async def ask(self) -> dict[str, PartState]:
        """What each part says now, one replica of it."""
        states = await asyncio.gather(*map(self._state, self._stubs))
        return dict(zip(self._stubs, states, strict=True))

    async def _state(self, part: str) -> PartState:
        try:
            response = await self._stubs[part].Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_S)
        except aio.AioRpcError:
            return "unreachable"
        return "serving" if response.status == health_pb2.HealthCheckResponse.SERVING else "not serving"


class GatewayReadiness:
    """Remembers how the services were, for probes, which are answered from memory."""

    def __init__(self, parts: PartStates, clock: Callable[[], float]) -> None:
        """`clock`: seconds, monotonic."""
        self._parts = parts
        self._clock = clock
        self._served: dict[str, float] = {}
        """When each part last said that it serves."""
        self._last: Mapping[str, PartState] = {}
        self._ending = False

    async def run(self) -> None:
        """Asks again and again until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(CHECK_EVERY_S)

    async def look(self) -> None:
        """Asks once."""
        self._last = await self._parts.ask()
        now = self._clock()
        self._served |= {part: now for part, state in self._last.items() if state == "serving"}

    def end(self) -> None:
        """From now on the gateway should get no requests."""
        self._ending = True

    def problem(self) -> str | None:
        """Why the gateway should get no requests, in words; None when it should."""
        if self._ending:
            return "the gateway is ending"
        if not self._last:
            return "the services have not answered yet"
        now = self._clock()
        silent = [part for part in self._last if now - self._served.get(part, -math.inf) >= PATIENCE_S]
        return "; ".join(f"{part} is {self._last[part]}" for part in silent) or None
