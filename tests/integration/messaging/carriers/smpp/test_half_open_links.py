"""Peers that are gone without a word, and links that break in the middle of a PDU."""

from __future__ import annotations

import asyncio

import smpp34

from messaging_service.carriers.domain.submission import OutcomeKind
from messaging_service.carriers.smpp.codec.pdu import (
    DELIVER_SM_RESP,
    ENQUIRE_LINK,
    SUBMIT_SM,
    SUBMIT_SM_RESP,
    message_id_answer,
)
from tests.integration.messaging.carriers.smpp.conftest import DEADLINE_S, Bound, Inbox, Send, SilentServer

PHONE = "+254712345678"


async def test_a_submit_without_an_answer_has_the_link_checked_at_once(
    silent_server: SilentServer, bound: Bound, send: Send
) -> None:
    carrier = await bound(silent_server.port, enquire_link_s=3_600.0, response_timeout_s=0.2)
    first = await silent_server.next_bind()
    assert (await send(carrier, PHONE)).kind is OutcomeKind.UNKNOWN
    await first.receive(ENQUIRE_LINK)
    async with asyncio.timeout(DEADLINE_S):
        await first.lost
    second = await silent_server.next_bind()
    submit = asyncio.create_task(send(carrier, PHONE))
    second.send(message_id_answer(SUBMIT_SM_RESP, (await second.receive(SUBMIT_SM)).sequence, "1"))
    assert (await submit).kind is OutcomeKind.ACCEPTED


async def test_a_link_that_answers_its_check_is_kept_however_slow_its_submits_are(
    silent_server: SilentServer, bound: Bound, send: Send
) -> None:
    carrier = await bound(silent_server.port, enquire_link_s=3_600.0, response_timeout_s=0.1)
    link = await silent_server.next_bind()
    link.answers_enquiries = True
    for _ in range(3):
        assert (await send(carrier, PHONE)).kind is OutcomeKind.UNKNOWN
        await link.receive(ENQUIRE_LINK)
    assert not link.lost.done()
    assert carrier.free_slots == 10


async def test_an_answer_that_is_cut_in_the_middle_is_no_answer(
    silent_server: SilentServer, bound: Bound, send: Send
) -> None:
    carrier = await bound(silent_server.port)
    link = await silent_server.next_bind()
    submit = asyncio.create_task(send(carrier, PHONE))
    answer = message_id_answer(SUBMIT_SM_RESP, (await link.receive(SUBMIT_SM)).sequence, "0123456789")
    link.send(answer[:-4])
    link.close()
    outcome = await submit
    assert (outcome.kind, outcome.raw) == (OutcomeKind.UNKNOWN, "the link was lost before the answer")
    assert await carrier.wait_until_up(DEADLINE_S)


async def test_a_receipt_that_is_cut_in_the_middle_comes_whole_by_the_next_link(
    silent_server: SilentServer, bound: Bound, inbox: Inbox
) -> None:
    await bound(silent_server.port)
    receipt = smpp34.DeliverSm("254712345678", "22141", b"id:1 stat:DELIVRD", esm_class=4, sequence_number=3).encode()
    first = await silent_server.next_bind()
    first.send(receipt[:40])
    first.close()
    second = await silent_server.next_bind()
    # One octet at a time is how a bad network may bring it.
    for octet in receipt:
        second.send(bytes((octet,)))
        await asyncio.sleep(0)
    assert (await second.receive(DELIVER_SM_RESP)).status == 0
    assert [entry.carrier_message_id for entry in inbox.receipts] == ["1"]


async def test_a_receipt_for_an_id_that_nobody_knows_is_stored_and_acknowledged(
    silent_server: SilentServer, bound: Bound, inbox: Inbox
) -> None:
    await bound(silent_server.port)
    link = await silent_server.next_bind()
    link.send(
        smpp34.DeliverSm("254712345678", "22141", b"id:999 stat:DELIVRD", esm_class=4, sequence_number=3).encode()
    )
    assert (await link.receive(DELIVER_SM_RESP)).status == 0
    assert [entry.carrier_message_id for entry in inbox.receipts] == ["999"]
