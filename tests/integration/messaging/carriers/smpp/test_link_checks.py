"""Only a peer from which nothing comes is taken for gone."""

from __future__ import annotations

import asyncio

from messaging_service.carriers.domain.submission import OutcomeKind
from tests.doubles.scripted_smsc import DELIVER_SM, ENQUIRE_LINK, RESP, ScriptedSmsc
from tests.integration.messaging.carriers.smpp.conftest import Bound, Send

PHONE = "+254712345678"
CHECKS = {"enquire_link_s": 0.1, "response_timeout_s": 1.0}


async def test_a_carrier_that_answers_submits_but_no_enquire_link_keeps_its_link(
    scripted_smsc: ScriptedSmsc, bound: Bound, send: Send
) -> None:
    scripted_smsc.on(ENQUIRE_LINK, None)
    carrier = await bound(scripted_smsc.port, **CHECKS)
    link = await scripted_smsc.link(0)
    # Quiet for long enough to be asked, and answering submits before the time for the answer is over.
    for _ in range(5):
        await link.get(ENQUIRE_LINK)
        assert (await send(carrier, PHONE)).kind is OutcomeKind.ACCEPTED
    assert link.closed_at_s is None
    assert len(scripted_smsc.links) == 1


async def test_a_busy_link_is_not_asked(scripted_smsc: ScriptedSmsc, bound: Bound, send: Send) -> None:
    carrier = await bound(scripted_smsc.port, enquire_link_s=1.0)
    link = await scripted_smsc.link(0)
    loop = asyncio.get_running_loop()
    bound_at = loop.time()
    while loop.time() < bound_at + 1.5:
        await send(carrier, PHONE)
        await asyncio.sleep(0.02)
    assert link.of(ENQUIRE_LINK) == []


async def test_a_receipt_proves_that_the_carrier_is_there(scripted_smsc: ScriptedSmsc, bound: Bound) -> None:
    scripted_smsc.on(ENQUIRE_LINK, None)
    await bound(scripted_smsc.port, **CHECKS)
    link = await scripted_smsc.link(0)
    for number in range(5):
        await link.get(ENQUIRE_LINK)
        receipt = link.deliver(source="254712345678", text=b"id:%d stat:DELIVRD" % number, esm_class=0x04)
        assert (await link.answer_to(receipt)).command == DELIVER_SM | RESP
    assert link.closed_at_s is None


async def test_a_carrier_from_which_nothing_comes_is_gone(scripted_smsc: ScriptedSmsc, bound: Bound) -> None:
    scripted_smsc.on(ENQUIRE_LINK, None)
    await bound(scripted_smsc.port, **CHECKS)
    link = await scripted_smsc.link(0)
    asked = await link.get(ENQUIRE_LINK)
    await link.closed()
    assert link.closed_at_s is not None
    assert link.closed_at_s - asked.at_s >= CHECKS["response_timeout_s"] - 0.01
    assert len(link.of(ENQUIRE_LINK)) == 1
