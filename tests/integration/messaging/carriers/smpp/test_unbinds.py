"""A carrier that unbinds, as it does before planned work: nothing that is on its way is lost."""

from __future__ import annotations

import asyncio

from messaging_service.carriers.domain.submission import OutcomeKind
from tests.doubles.scripted_smsc import DELIVER_SM, RESP, SUBMIT_SM, UNBIND, Reply, ScriptedSmsc
from tests.integration.messaging.carriers.smpp.conftest import DEADLINE_S, Bound, Inbox, Send

PHONE = "+254712345678"


async def test_answers_that_come_after_the_carriers_unbind_count(
    scripted_smsc: ScriptedSmsc, bound: Bound, send: Send
) -> None:
    scripted_smsc.on(SUBMIT_SM, None, link=0)
    carrier = await bound(scripted_smsc.port)
    link = await scripted_smsc.link(0)
    submits = [asyncio.create_task(send(carrier, PHONE, f"message {n}")) for n in range(10)]
    asked = [await link.get(SUBMIT_SM) for _ in range(10)]
    unbind = link.unbind()
    await scripted_smsc.until(lambda: not carrier.is_up, "the client to take the unbind", poll_s=0.01)
    for got in asked[:-1]:
        link.reply(got, Reply())
    await asyncio.wait(submits, timeout=DEADLINE_S, return_when=asyncio.FIRST_COMPLETED)
    assert link.of(UNBIND | RESP) == []
    link.reply(asked[-1], Reply())
    assert {outcome.kind for outcome in await asyncio.gather(*submits)} == {OutcomeKind.ACCEPTED}
    answer = await link.answer_to(unbind)
    assert (answer.command, answer.status) == (UNBIND | RESP, 0)
    await link.closed()
    await scripted_smsc.link(1)
    assert (await send(carrier, PHONE)).kind is OutcomeKind.ACCEPTED
    assert len(link.of(SUBMIT_SM)) == 10


async def test_no_new_submit_goes_out_after_the_carriers_unbind(
    scripted_smsc: ScriptedSmsc, bound: Bound, send: Send
) -> None:
    scripted_smsc.on(SUBMIT_SM, None, link=0)
    carrier = await bound(scripted_smsc.port)
    link = await scripted_smsc.link(0)
    first = asyncio.create_task(send(carrier, PHONE, "before"))
    asked = await link.get(SUBMIT_SM)
    link.unbind()
    await scripted_smsc.until(lambda: not carrier.is_up, "the client to take the unbind", poll_s=0.01)
    assert carrier.try_reserve() is None
    status = carrier.status()
    assert (status.is_up, status.window, status.in_use) == (False, 0, 1)
    assert status.remark == "bind 1 winds up: the carrier unbound"
    link.reply(asked, Reply())
    assert (await first).kind is OutcomeKind.ACCEPTED


async def test_receipts_between_the_carriers_unbind_and_the_answer_are_acknowledged(
    scripted_smsc: ScriptedSmsc, bound: Bound, inbox: Inbox
) -> None:
    inbox.gate.clear()
    carrier = await bound(scripted_smsc.port)
    link = await scripted_smsc.link(0)
    before = link.deliver(source="254712345678", text=b"id:1 stat:DELIVRD err:000", esm_class=0x04)
    await inbox.wait_for(lambda: inbox.calls == 1)
    unbind = link.unbind()
    await scripted_smsc.until(lambda: not carrier.is_up, "the client to take the unbind", poll_s=0.01)
    between = link.deliver(source="254712345678", text=b"id:2 stat:DELIVRD err:000", esm_class=0x04)
    inbox.gate.set()
    for sequence in (before, between):
        answer = await link.answer_to(sequence)
        assert (answer.command, answer.status) == (DELIVER_SM | RESP, 0)
    assert (await link.answer_to(unbind)).at_s >= (await link.answer_to(before)).at_s
    await link.closed()
    assert {receipt.carrier_message_id for receipt in inbox.receipts} == {"1", "2"}


async def test_a_carrier_that_unbinds_and_closes_leaves_no_trace_but_a_new_bind(
    scripted_smsc: ScriptedSmsc, bound: Bound
) -> None:
    carrier = await bound(scripted_smsc.port)
    link = await scripted_smsc.link(0)
    await link.answer_to(link.unbind())
    link.close()
    await scripted_smsc.link(1)
    assert carrier.status().binds[0].last_error == "the carrier unbound"


async def test_the_unbind_is_answered_when_the_time_for_answers_is_over(
    scripted_smsc: ScriptedSmsc, bound: Bound, send: Send
) -> None:
    scripted_smsc.on(SUBMIT_SM, None, link=0)
    carrier = await bound(scripted_smsc.port, response_timeout_s=0.3)
    link = await scripted_smsc.link(0)
    submit = asyncio.create_task(send(carrier, PHONE))
    await link.get(SUBMIT_SM)
    answer = await link.answer_to(link.unbind())
    assert answer.command == UNBIND | RESP
    assert (await submit).kind is OutcomeKind.UNKNOWN
    await link.closed()
    await scripted_smsc.link(1)


async def test_the_unbind_is_answered_when_a_receipt_cannot_be_stored(
    scripted_smsc: ScriptedSmsc, bound: Bound, inbox: Inbox
) -> None:
    inbox.gate.clear()
    await bound(scripted_smsc.port, response_timeout_s=0.3)
    link = await scripted_smsc.link(0)
    link.deliver(source="254712345678", text=b"id:1 stat:DELIVRD err:000", esm_class=0x04)
    await inbox.wait_for(lambda: inbox.calls == 1)
    await link.answer_to(link.unbind())
    await link.closed()
    inbox.gate.set()
