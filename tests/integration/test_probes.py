"""What an orchestrator is told over plain HTTP, whatever the rest of the process speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import pytest

from gateway_http.system.part_states import PATIENCE_S, GatewayReadiness, PartStates
from gateway_http.system.system_models import PartState
from service_kit.settings import Address
from service_kit.web.probe_listener import LIVE, READY, STARTED, Probes, probes_served
from tests.system.ports import free_port


@dataclass
class Answers:
    live: str | None = None
    ready: str | None = None
    started: str | None = None

    def probes(self) -> Probes:
        return Probes(live=lambda: self.live, ready=lambda: self.ready, started=lambda: self.started)


async def test_each_question_has_its_own_answer_and_reason() -> None:
    answers, port = Answers(ready="pricing is\nunreachable", started="the database is at migration none"), free_port()
    async with (
        probes_served(Address("127.0.0.1", port), answers.probes()),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
    ):
        alive, ready, started = [await http.get(path) for path in (LIVE, READY, STARTED)]
        assert (alive.status_code, alive.text) == (200, "ok\n")
        assert (ready.status_code, ready.text) == (503, "pricing is unreachable\n")
        assert (started.status_code, started.text) == (503, "the database is at migration none\n")
        answers.live, answers.ready, answers.started = "the acceptance flush runs for more than 60 s", None, None
        assert [(await http.get(path)).status_code for path in (LIVE, READY, STARTED)] == [503, 200, 200]
        assert (await http.head(READY)).content == b""
        assert (await http.post(READY)).status_code == 405
        assert (await http.get("/metrics")).status_code == 404


async def test_without_an_address_no_probe_is_answered() -> None:
    async with probes_served(None, Answers().probes()):
        assert len(asyncio.all_tasks()) == 1


class ScriptedParts(PartStates):
    def __init__(self, states: Mapping[str, PartState]) -> None:
        super().__init__({})
        self.states = dict(states)

    async def ask(self) -> dict[str, PartState]:
        return dict(self.states)


async def test_a_gateway_is_ready_while_some_replica_of_each_service_is() -> None:
    """One of several replicas ends, is asked now and then, and says that it does not serve."""
    now, parts = [100.0], ScriptedParts({"pricing": "serving", "messaging": "serving"})
    readiness = GatewayReadiness(parts, lambda: now[0])
    assert readiness.problem() == "the services have not answered yet"
    await readiness.look()
    assert readiness.problem() is None
    parts.states["messaging"] = "not serving"
    now[0] += PATIENCE_S - 1
    await readiness.look()
    assert readiness.problem() is None
    now[0] += 1
    await readiness.look()
    assert readiness.problem() == "messaging is not serving"
    parts.states["messaging"] = "serving"
    await readiness.look()
    assert readiness.problem() is None
    readiness.end()
    assert readiness.problem() == "the gateway is ending"


@pytest.mark.parametrize("state", ["unreachable", "not serving"])
async def test_a_gateway_without_a_service_from_the_start_is_not_ready(state: PartState) -> None:
    readiness = GatewayReadiness(ScriptedParts({"pricing": state}), lambda: 1.0)
    await readiness.look()
    assert readiness.problem() == f"pricing is {state}"
