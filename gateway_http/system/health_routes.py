"""Probes: is this process alive, and can it serve."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.query import parameters

ALIVE = "/healthz"
READY = "/readyz"
_TIMEOUT_S = 1.0

PartState = Literal["serving", "not serving", "unreachable"]


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["alive"]


class Readiness(msgspec.Struct, frozen=True):
    """Whether requests can be served, and by which part not."""

    status: Annotated[Literal["ready", "not ready"], Meta(description="ready when every part is serving.")]
    parts: Annotated[dict[str, PartState], Meta(description="`pricing` and `messaging`, each with its state.")]


class HealthRoutes:
    """Asks the services behind the gateway how they are."""

    def __init__(self, channels: Mapping[str, aio.Channel]) -> None:
        """`channels` by the name of the part."""
        self._stubs = {part: health_pb2_grpc.HealthStub(channel) for part, channel in channels.items()}

    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [Route(ALIVE, self.alive, methods=["GET"]), Route(READY, self.ready, methods=["GET"])]

    async def alive(self, request: Request) -> Response:
        """Answers as long as the process does."""
        parameters(request.scope["query_string"], ())
        return json_answer(Alive("alive"))

    async def ready(self, request: Request) -> Response:
        """Answers 200 when both services are serving, 503 with the part that is not otherwise."""
        parameters(request.scope["query_string"], ())
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
