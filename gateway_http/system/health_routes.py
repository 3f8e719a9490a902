"""Probes: is this process alive, and can it serve."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from starlette.responses import Response

from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.route import RestRequest, RestRoutes, handles
from gateway_http.system.system_models import Alive, PartState, Readiness
from gateway_http.system.system_operations import IS_ALIVE, IS_READY

_TIMEOUT_S = 1.0


class HealthRoutes(RestRoutes):
    """Asks the services behind the gateway how they are."""

    def __init__(self, channels: Mapping[str, aio.Channel]) -> None:
        """`channels` by the name of the part."""
        self._stubs = {part: health_pb2_grpc.HealthStub(channel) for part, channel in channels.items()}

    @handles(IS_ALIVE)
    async def alive(self, _request: RestRequest) -> Response:
        """Answers as long as the process does."""
        return json_answer(Alive("alive"))

    @handles(IS_READY)
    async def ready(self, _request: RestRequest) -> Response:
        """Answers 200 when both services are serving, 503 with the part that is not otherwise."""
        states = await asyncio.gather(*map(self._state, self._stubs))
        is_ready = all(state == "serving" for state in states)
        answer = Readiness("ready" if is_ready else "not ready", dict(zip(self._stubs, states, strict=True)))
        return json_answer(answer, 200 if is_ready else 503)

    async def _state(self, part: str) -> PartState:
        try:
            response = await self._stubs[part].Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_S)
        except aio.AioRpcError:
            return "unreachable"
        return "serving" if response.status == health_pb2.HealthCheckResponse.SERVING else "not serving"
