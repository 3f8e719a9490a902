"""A gateway is not made when a route says nothing of who may use it."""

from __future__ import annotations

import pytest
from grpc import aio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway_http.bootstrap import Gateway
from gateway_http.callbacks.africastalking_routes import AfricasTalkingRoutes
from gateway_http.openapi.operation import Operation
from gateway_http.settings import GatewaySettings
from gateway_http.system.system_operations import IS_ALIVE, TAG
from service_kit.access.method_rules import RulesError


async def test_a_route_without_a_rule_keeps_the_gateway_from_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    async def everybody(_request: Request) -> Response:
        return Response()

    monkeypatch.setattr(AfricasTalkingRoutes, "routes", lambda _: [Route("/everybody", everybody)])
    channel = aio.insecure_channel("127.0.0.1:1")
    with pytest.raises(RulesError, match="/everybody"):
        Gateway(GatewaySettings(), channel, channel)
    await channel.close()


def test_an_operation_without_a_rule_cannot_be_declared() -> None:
    with pytest.raises(TypeError, match="access"):
        Operation("get", "/everybody", "everybody", TAG, "All", "All.", answers=IS_ALIVE.answers, problems={})  # type: ignore[call-arg]
