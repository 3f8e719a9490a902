"""The scripted SMSC does what its script says, so that tests over it mean something."""

from __future__ import annotations

import asyncio

from messaging_service.carriers.domain.submission import OutcomeKind
from tests.doubles.scripted_smsc import (
    BIND_TRANSCEIVER,
    DELIVER_SM,
    ENQUIRE_LINK,
    RESP,
    SUBMIT_SM,
    UNBIND,
    Reply,
    ScriptedSmsc,
)
from tests.integration.messaging.carriers.smpp.conftest import Bound, Inbox, Send

PHONE = "+254712345678"


async def test_a_script_is_used_up_before_the_default_comes_back(
    scripted_smsc: ScriptedSmsc, bound: Bound, send: Send
) -> None:
    carrier = await bound(scripted_smsc.port)
    scripted_smsc.on(SUBMIT_SM, [Reply(0x45), Reply(message_id="abc", delay_s=0.01)])
    outcomes = [await send(carrier, PHONE, text) for text in ("one", "two", "three")]
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.REFUSED, *[OutcomeKind.ACCEPTED] * 2]
    assert [outcome.carrier_message_ids for outcome in outcomes] == [(), ("abc",), ("1",)]
    submits = [got.submit for got in scripted_smsc.all_of(SUBMIT_SM)]
    assert [(got.source, got.destination, got.text) for got in submits] == [
        ("TUKUPAY", "254712345678", text) for text in (b"one", b"two", b"three")
    ]


async def test_links_have_scripts_of_their_own_and_can_be_written_to(
    scripted_smsc: ScriptedSmsc, bound: Bound, inbox: Inbox
) -> None:
    scripted_smsc.on(BIND_TRANSCEIVER, Reply(0x0D), link=0)
    await bound(scripted_smsc.port)
    link = await scripted_smsc.link(1)
    assert not scripted_smsc.links[0].is_bound
    assert (await link.get(BIND_TRANSCEIVER)).bind.system_id == "tukupay"
    receipt = link.deliver(source="254712345678", text=b"id:7 stat:DELIVRD err:000", esm_class=0x04)
    answer = await link.answer_to(receipt)
    assert (answer.command, answer.status) == (DELIVER_SM | RESP, 0)
    assert [entry.carrier_message_id for entry in inbox.receipts] == ["7"]
    assert (await link.answer_to(link.request(ENQUIRE_LINK))).command == ENQUIRE_LINK | RESP


async def test_what_a_rule_holds_back_is_answered_by_hand(
    scripted_smsc: ScriptedSmsc, bound: Bound, send: Send
) -> None:
    scripted_smsc.on(SUBMIT_SM, None)
    carrier = await bound(scripted_smsc.port)
    link = await scripted_smsc.link(0)
    submit = asyncio.create_task(send(carrier, PHONE))
    got = await link.get(SUBMIT_SM)
    link.reply(got, Reply(message_id="late"))
    assert (await submit).carrier_message_ids == ("late",)
    await carrier.stop()
    assert (await link.get(UNBIND)).at_s > got.at_s
    await link.closed()


async def test_it_comes_back_on_the_same_port(scripted_smsc: ScriptedSmsc, bound: Bound, send: Send) -> None:
    carrier = await bound(scripted_smsc.port)
    scripted_smsc.stop()
    scripted_smsc.start()
    link = await scripted_smsc.link(1)
    assert (await send(carrier, PHONE)).kind is OutcomeKind.ACCEPTED
    assert len(link.of(SUBMIT_SM)) == 1
