"""A carrier that answers as if nobody had bound costs no message, and the one in reserve gets them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.scripted_smsc import ENQUIRE_LINK, SUBMIT_SM, Reply, ScriptedSmsc
from tests.integration.messaging.running_service import service_on
from tukupay.sms.messaging.v1 import carriers_pb2 as pb
from tukupay.sms.messaging.v1 import carriers_pb2_grpc, messaging_pb2

pytestmark = pytest.mark.timeout(60)

CARRIER = """
[[carriers]]
name = "{name}"
kind = "smpp"
host = "127.0.0.1"
port = {port}
system_id = "tukupay"
password_file = "{password}"
reconnect_min_s = 30
reconnect_max_s = 60
"""
ROUTES = """
[[routes]]
name = "default"
carriers = [{ name = "first" }, { name = "reserve", rank = 1 }]
"""


async def test_what_a_carrier_refuses_for_its_session_goes_to_the_carrier_in_reserve(
    database_url: str, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("secret")
    file = tmp_path / "carriers.toml"
    none: dict[str, Any] = dict.fromkeys(("smpp_host", "smpp_port", "smpp_system_id", "smpp_password"))
    with ScriptedSmsc() as first, ScriptedSmsc() as reserve:
        for command in (SUBMIT_SM, ENQUIRE_LINK):
            first.on(command, Reply(0x04))
        ports = {"first": first.port, "reserve": reserve.port}
        tables = [CARRIER.format(name=name, port=port, password=password) for name, port in ports.items()]
        file.write_text("".join(tables) + ROUTES)
        async with service_on(database_url, carriers_file=file, real_carriers=True, **none) as service:
            await first.link(0)
            await reserve.link(0)
            sent = await asyncio.gather(*(service.send(message=f"Habari {n}") for n in range(25)))
            assert {(answer.entry.status, answer.entry.carrier) for answer in sent} == {
                (messaging_pb2.SMS_STATUS_SENT, "reserve")
            }
            assert len(reserve.all_of(SUBMIT_SM)) == 25
            assert len(first.links) == 1
            await first.links[0].closed()
            stub = carriers_pb2_grpc.CarrierServiceStub(service.channel)
            reports = {report.name: report for report in (await stub.ListCarriers(pb.ListCarriersRequest())).carriers}
            assert not reports["first"].is_up
            assert "ESME_RINVBNDSTS (0x00000004)" in reports["first"].binds[0].last_error
            assert await service.money() == (-600_000 * 25, 0)
