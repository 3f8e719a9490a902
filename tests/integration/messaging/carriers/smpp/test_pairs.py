"""A transmitter and a receiver as one bind."""

from __future__ import annotations

import asyncio

import smpp34
from structlog.testing import capture_logs

from messaging_service.carriers.domain.carrier_status import BindState
from messaging_service.carriers.domain.submission import OutcomeKind
from messaging_service.carriers.smpp.codec.pdu import (
    DELIVER_SM,
    DELIVER_SM_RESP,
    SUBMIT_SM,
    SUBMIT_SM_RESP,
    UNBIND,
    Command,
    message_id_answer,
)
from messaging_service.carriers.smpp.smpp_settings import BindMode
from sandbox_carriers.smpp import SandboxCarrier
from tests.integration.messaging.carriers.smpp.conftest import Bound, Inbox, Send, SilentServer, SilentSmsc, until

PHONE = "+254712345678"


async def the_pair(server: SilentServer) -> tuple[SilentSmsc, SilentSmsc]:
    """The transmitter's link and the receiver's."""
    for _ in range(2):
        await server.next_bind()
    by_role = {link.role: link for link in server.links}
    return by_role[Command.BIND_TRANSMITTER], by_role[Command.BIND_RECEIVER]


async def test_submits_go_by_the_transmitter_and_receipts_come_by_the_receiver(
    sandbox: SandboxCarrier, bound: Bound, send: Send, inbox: Inbox
) -> None:
    carrier = await bound(bind_mode=BindMode.PAIR, binds=2)
    outcomes = await asyncio.gather(*(send(carrier, PHONE, f"message {n}") for n in range(20)))
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.ACCEPTED}
    await inbox.wait_for(lambda: len(inbox.receipts) == 20)
    assert sandbox.stats()["binds"] == 4
    status = carrier.status()
    assert [(bind.number, bind.state, bind.window) for bind in status.binds] == [
        (1, BindState.UP, 10),
        (2, BindState.UP, 10),
    ]
    assert status.remark is None


async def test_a_receiver_that_is_down_is_shown_and_logged_while_submits_go_on(
    silent_server: SilentServer, bound: Bound, send: Send
) -> None:
    with capture_logs() as logs:
        carrier = await bound(silent_server.port, bind_mode=BindMode.PAIR, reconnect_min_s=60.0, reconnect_max_s=60.0)
        transmitter, receiver = await the_pair(silent_server)
        await until(carrier, lambda: carrier.status().remark is None)
        receiver.abort("cut by the test")
        await until(carrier, lambda: carrier.status().remark is not None)
    assert carrier.is_up
    remark = carrier.status().remark
    assert remark is not None
    assert remark.startswith("the receiver of bind 1 is down, so receipts wait at the carrier: ")
    (lost,) = [entry for entry in logs if entry["event"] == "smpp.link_lost"]
    assert (lost["carrier"], lost["role"]) == ("test", "receiver")
    submit = asyncio.create_task(send(carrier, PHONE))
    transmitter.send(message_id_answer(SUBMIT_SM_RESP, (await transmitter.receive(SUBMIT_SM)).sequence, "1"))
    assert (await submit).kind is OutcomeKind.ACCEPTED


async def test_without_its_transmitter_a_pair_is_down_but_still_takes_receipts(
    silent_server: SilentServer, bound: Bound, inbox: Inbox
) -> None:
    carrier = await bound(silent_server.port, bind_mode=BindMode.PAIR, reconnect_min_s=60.0, reconnect_max_s=60.0)
    transmitter, receiver = await the_pair(silent_server)
    await until(carrier, lambda: carrier.status().remark is None)
    transmitter.abort("cut by the test")
    await until(carrier, lambda: not carrier.is_up)
    assert carrier.try_reserve() is None
    assert carrier.status().binds[0].state is BindState.WAITING
    receipt = smpp34.DeliverSm("254712345678", "22141", b"id:1 stat:DELIVRD", esm_class=4, sequence_number=3)
    receiver.send(receipt.encode())
    assert (await receiver.receive(DELIVER_SM_RESP)).status == 0
    assert len(inbox.receipts) == 1


async def test_stopping_takes_the_last_receipts_before_it_unbinds_both(
    silent_server: SilentServer, bound: Bound, inbox: Inbox
) -> None:
    carrier = await bound(silent_server.port, bind_mode=BindMode.PAIR)
    transmitter, receiver = await the_pair(silent_server)
    await until(carrier, lambda: carrier.status().remark is None)
    inbox.gate.clear()
    receipt = smpp34.DeliverSm("254712345678", "22141", b"id:1 stat:DELIVRD", esm_class=4, sequence_number=3)
    receiver.send(receipt.encode())
    await inbox.wait_for(lambda: inbox.calls == 1)
    stopping = asyncio.create_task(carrier.stop())
    inbox.gate.set()
    await stopping
    assert [header.command for header, _ in receiver.pdus] == [DELIVER_SM | 0x8000_0000, UNBIND]
    assert [header.command for header, _ in transmitter.pdus] == [UNBIND]
    assert len(inbox.receipts) == 1
