"""What a carrier does with its sessions costs no message, as callers of the service see it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.scripted_smsc import ENQUIRE_LINK, RESP, SUBMIT_SM, UNBIND, Received, Reply, ScriptedSmsc
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


async def test_a_planned_restart_of_the_carrier_leaves_no_message_unknown(database_url: str) -> None:
    with ScriptedSmsc() as smsc:
        smsc.on(SUBMIT_SM, None, link=0)
        async with service_on(database_url, real_carriers=True, smpp_port=smsc.port) as service:
            link = await smsc.link(0)
            sends = [asyncio.create_task(service.send(message=f"Habari {n}")) for n in range(10)]
            asked = [await link.get(SUBMIT_SM) for _ in range(10)]
            unbind = link.unbind()
            for got in asked:
                link.reply(got, Reply())
            sent = await asyncio.gather(*sends)
            assert {answer.entry.delivery_state for answer in sent} == {messaging_pb2.DELIVERY_STATE_ACCEPTED}
            assert (await link.answer_to(unbind)).command == UNBIND | RESP
            link.close()
            await smsc.link(1)
            assert (await service.send()).entry.status == messaging_pb2.SMS_STATUS_SENT
            assert await service.money() == (-600_000 * 11, 0)


async def test_a_long_text_whose_second_part_is_throttled_arrives_whole(database_url: str) -> None:
    refusals = [Reply(0x58)] * 4

    def answer(got: Received) -> Reply:
        is_second = got.submit.text[:6] == bytes((5, 0, 3, got.submit.text[3], 2, 2))
        return refusals.pop() if is_second and refusals else Reply()

    with ScriptedSmsc() as smsc:
        smsc.on(SUBMIT_SM, answer)
        # The pauses are longer than the time in which a part is to be answered.
        async with service_on(
            database_url, real_carriers=True, smpp_port=smsc.port, smpp_response_timeout_s=0.5
        ) as service:
            await smsc.link(0)
            entry = (await service.send(message="Habari " * 40)).entry
            assert (entry.status, entry.error_code) == (messaging_pb2.SMS_STATUS_SENT, "")
            assert len(smsc.all_of(SUBMIT_SM)) == 2 + 4
            assert await service.money() == (-600_000 * 2, 0)
