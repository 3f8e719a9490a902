"""Probes: is this process alive, and can it serve."""

from __future__ import annotations

from starlette.responses import Response

from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.route import RestRequest, RestRoutes, handles
from gateway_http.system.part_states import PartStates
from gateway_http.system.system_models import Alive, Readiness
from gateway_http.system.system_operations import IS_ALIVE, IS_READY


class HealthRoutes(RestRoutes):
    """Asks the services behind the gateway how they are."""

    def __init__(self, parts: PartStates) -> None:
        self._parts = parts

    @handles(IS_ALIVE)
    async def alive(self, _request: RestRequest) -> Response:
        """Answers as long as the process does."""
        return json_answer(Alive("alive"))

    @handles(IS_READY)
    async def ready(self, _request: RestRequest) -> Response:
        """Answers 200 when both services are serving, 503 with the part that is not otherwise."""
        states = await self._parts.ask()
        is_ready = all(state == "serving" for state in states.values())
        return json_answer(Readiness("ready" if is_ready else "not ready", states), 200 if is_ready else 503)
