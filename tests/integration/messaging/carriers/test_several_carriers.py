"""A service with two carriers: routes, failover on proof, and operators' words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from messaging_service.carriers.domain.submission import Outcome
from tests.contract.sms_examples import not_taken, refused, unanswered
from tests.doubles.scripted_carrier import ScriptedCarrier
from tests.integration.messaging.running_service import DEADLINE_S, Running, refusal_of, service_on
from tests.system.messaging_database import rows, until_found
from tests.system.waiting import eventually
from tukupay.sms.messaging.v1 import carriers_pb2 as pb
from tukupay.sms.messaging.v1 import carriers_pb2_grpc, messaging_pb2

pytestmark = pytest.mark.timeout(60)

AIRTEL_NUMBER = "+254733123456"
CARRIER = """
[[carriers]]
name = "{name}"
kind = "smpp"
host = "127.0.0.1"
port = 2775
system_id = "unused"
password_file = "{password}"
"""
ROUTES = """
[[routes]]
name = "airtel"
prefixes = ["+25473"]
carriers = [{ name = "airtel" }]

[[routes]]
name = "default"
carriers = [{ name = "safaricom" }, { name = "airtel", rank = 1 }]
"""


def elsewhere(carrier: str) -> Outcome:
    return replace(not_taken("INVALID_RECIPIENT"), carrier=carrier, only_elsewhere=True)


@asynccontextmanager
async def two_carriers(url: str, folder: Path) -> AsyncIterator[tuple[Running, dict[str, ScriptedCarrier]]]:
    password = folder / "password"
    password.write_text("unused")
    file = folder / "carriers.toml"
    file.write_text("".join(CARRIER.format(name=name, password=password) for name in ("safaricom", "airtel")) + ROUTES)
    several = {name: ScriptedCarrier(name=name) for name in ("safaricom", "airtel")}
    none: dict[str, Any] = dict.fromkeys(("smpp_host", "smpp_port", "smpp_system_id", "smpp_password"))
    async with service_on(url, several=several, carriers_file=file, **none) as service:
        yield service, several


async def control(service: Running, carrier: str, mode: pb.CarrierMode.ValueType) -> pb.CarrierControl:
    stub = carriers_pb2_grpc.CarrierServiceStub(service.channel)
    request = pb.SetCarrierModeRequest(carrier=carrier, mode=mode, changed_by="wanjiru", reason="maintenance")
    return (await stub.SetCarrierMode(request)).control


async def reports(service: Running) -> list[pb.CarrierReport]:
    stub = carriers_pb2_grpc.CarrierServiceStub(service.channel)
    return list((await stub.ListCarriers(pb.ListCarriersRequest())).carriers)


async def mode_of(service: Running, carrier: str, mode: pb.CarrierMode.ValueType) -> None:
    """Returns when the service follows."""

    async def follows() -> bool:
        return mode in [report.mode for report in await reports(service) if report.name == carrier]

    await eventually(f"the service follows the mode of {carrier}", follows)


async def test_a_message_goes_to_the_carrier_of_its_route(database_url: str, tmp_path: Path) -> None:
    async with two_carriers(database_url, tmp_path) as (service, _):
        there = (await service.send(recipient_phone_number=AIRTEL_NUMBER)).entry
        here = (await service.send()).entry
    assert (there.carrier, here.carrier) == ("airtel", "safaricom")


@pytest.mark.parametrize("proof", ["elsewhere", "busy"])
async def test_the_next_carrier_is_asked_on_proof_that_the_first_did_not_take_it(
    database_url: str, tmp_path: Path, proof: str
) -> None:
    async with two_carriers(database_url, tmp_path) as (service, carriers):
        outcome = elsewhere("safaricom") if proof == "elsewhere" else replace(not_taken(), carrier="safaricom")

        def busy_then_down(_: object) -> Outcome:
            # Were it still up, the first of the ranks would be asked again.
            carriers["safaricom"].go_down()
            return outcome

        carriers["safaricom"].answer = lambda _: outcome
        if proof == "busy":
            carriers["safaricom"].answer = busy_then_down
        entry = (await service.send()).entry
    assert (entry.status, entry.carrier) == (messaging_pb2.SMS_STATUS_SENT, "airtel")
    assert [len(carrier.submissions) for carrier in carriers.values()] == [1, 1]
    events = await rows(database_url, "SELECT to_state, carrier, code FROM message_event ORDER BY id")
    assert events == [
        ("submitting", None, None),
        ("ready", "safaricom", outcome.error_code),
        ("submitting", None, None),
        ("accepted", "airtel", None),
    ]
    assert await rows(database_url, "SELECT count(*) FROM ledger_entry") == [(1,)]


async def test_without_proof_no_other_carrier_is_asked(database_url: str, tmp_path: Path) -> None:
    async with two_carriers(database_url, tmp_path) as (service, carriers):
        carriers["safaricom"].answer = lambda _: replace(unanswered(), carrier="safaricom")
        entry = (await service.send()).entry
        assert entry.delivery_state == messaging_pb2.DELIVERY_STATE_UNKNOWN
        carriers["safaricom"].answer = lambda _: replace(refused(), carrier="safaricom")
        entry = (await service.send()).entry
        assert entry.status == messaging_pb2.SMS_STATUS_FAILED
    assert not carriers["airtel"].submissions


async def test_when_every_carrier_is_proven_not_to_take_it_the_message_is_refused(
    database_url: str, tmp_path: Path
) -> None:
    async with two_carriers(database_url, tmp_path) as (service, carriers):
        for name, carrier in carriers.items():
            carrier.answer = lambda _, name=name: elsewhere(name)  # type: ignore[misc]  # bound per turn
        entry = (await service.send()).entry
        assert (entry.status, entry.error_code) == (messaging_pb2.SMS_STATUS_FAILED, "INVALID_RECIPIENT")
        assert await service.money() == (0, 0)
    assert [len(carrier.submissions) for carrier in carriers.values()] == [1, 1]


async def test_a_paused_carrier_lets_messages_wait_and_a_resumed_one_sends_them(
    database_url: str, tmp_path: Path
) -> None:
    async with two_carriers(database_url, tmp_path) as (service, carriers):
        said = await control(service, "airtel", pb.CARRIER_MODE_PAUSED)
        assert (said.mode, said.changed_by, said.reason) == (pb.CARRIER_MODE_PAUSED, "wanjiru", "maintenance")
        await mode_of(service, "airtel", pb.CARRIER_MODE_PAUSED)
        waiting = (await service.send(recipient_phone_number=AIRTEL_NUMBER, outcome_wait={"nanos": 1})).entry
        assert waiting.status == messaging_pb2.SMS_STATUS_PENDING
        assert not carriers["airtel"].submissions
        await control(service, "airtel", pb.CARRIER_MODE_RUNNING)
        await carriers["airtel"].submitted(1)


async def test_a_drained_carrier_disconnects_and_sends_that_need_it_are_refused(
    database_url: str, tmp_path: Path
) -> None:
    async with two_carriers(database_url, tmp_path) as (service, carriers):
        await control(service, "airtel", pb.CARRIER_MODE_DRAINED)
        await mode_of(service, "airtel", pb.CARRIER_MODE_DRAINED)
        error = await refusal_of(service.send(recipient_phone_number=AIRTEL_NUMBER))
        assert error.reason == "CARRIER_UNAVAILABLE"
        async with asyncio.timeout(DEADLINE_S):
            while carriers["airtel"].is_started:  # noqa: ASYNC110 - the carrier has no event for it
                await asyncio.sleep(0)
    async with two_carriers(database_url, tmp_path) as (service, carriers):
        await mode_of(service, "airtel", pb.CARRIER_MODE_DRAINED)
        assert carriers["safaricom"].is_started


async def test_reports_show_every_carrier_at_every_replica_with_its_last_minute(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with (
        two_carriers(database_url, tmp_path / "one") as (one, carriers),
        two_carriers(database_url, tmp_path / "two") as (two, _),
    ):
        carriers["safaricom"].answer = lambda _: replace(refused("INVALID_SENDER"), carrier="safaricom")
        await one.send()
        await reports(two)
        shown = await reports(one)
        assert [report.name for report in shown] == ["airtel", "airtel", "safaricom", "safaricom"]
        assert len({report.replica for report in shown}) == 2
        assert {report.kind for report in shown} <= {pb.CARRIER_KIND_UNSPECIFIED, pb.CARRIER_KIND_SMPP}
        stub = carriers_pb2_grpc.CarrierServiceStub(one.channel)
        first = await stub.ListCarriers(pb.ListCarriersRequest(page_size=3))
        last = await stub.ListCarriers(pb.ListCarriersRequest(page_size=3, page_token=first.next_page_token))
        places = [(report.name, report.replica) for page in (first, last) for report in page.carriers]
        assert (len(first.carriers), last.next_page_token) == (3, "")
        assert places == [(report.name, report.replica) for report in shown]
        (busy,) = [report for report in shown if report.refused]
        assert [(count.code, count.messages) for count in busy.codes] == [("INVALID_SENDER", 1)]
        assert (busy.is_up, busy.window, busy.mode) == (True, 10, pb.CARRIER_MODE_RUNNING)


async def test_words_on_carriers_that_nobody_has_or_without_sense_are_refused(
    database_url: str, tmp_path: Path
) -> None:
    async with two_carriers(database_url, tmp_path) as (service, _):
        error = await refusal_of(control(service, "mtn", pb.CARRIER_MODE_PAUSED))
        assert (error.reason, error.metadata["carriers"]) == ("CARRIER_NOT_FOUND", "safaricom,airtel")
        error = await refusal_of(control(service, "", pb.CARRIER_MODE_UNSPECIFIED))
        assert [violation.field for violation in error.violations] == ["mode", "carrier"]


async def test_messages_of_a_route_that_is_gone_are_sent_by_the_default_one(database_url: str, tmp_path: Path) -> None:
    async with two_carriers(database_url, tmp_path) as (service, _):
        await control(service, "airtel", pb.CARRIER_MODE_PAUSED)
        await mode_of(service, "airtel", pb.CARRIER_MODE_PAUSED)
        waiting = (await service.send(recipient_phone_number=AIRTEL_NUMBER, outcome_wait={"nanos": 1})).entry
    await rows(database_url, "UPDATE dispatch SET due_at = due_at - interval '2 minutes'")
    async with service_on(database_url) as later:
        await later.carrier.submitted(1)
        assert (await later.entry(waiting.outbox_id)).user_id == "user123"


async def test_another_process_is_told_of_work_that_this_one_has_no_room_for(database_url: str) -> None:
    never = 60.0
    async with service_on(database_url, window=1, poll_s=never) as full, service_on(database_url, poll_s=never) as idle:
        listening = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'messaging-wake-ups'"
        await until_found(database_url, f"SELECT 1 WHERE ({listening} AND query LIKE 'LISTEN%') = 2")
        hold = asyncio.Event()

        async def slow(_: object) -> Outcome:
            await hold.wait()
            return replace(refused(), carrier="smpp")

        full.carrier.answer = slow
        first = asyncio.ensure_future(full.send())
        await full.carrier.submitted(1)
        entry = (await full.send()).entry
        assert entry.status == messaging_pb2.SMS_STATUS_SENT
        assert len(idle.carrier.submissions) == 1
        hold.set()
        await first
