"""Receipts are stored before they are acknowledged, and none is lost."""

from __future__ import annotations

import asyncio

import pytest
import smpp34

from messaging_service.carriers.domain.submission import OutcomeKind, ReceiptState
from messaging_service.carriers.smpp.codec.pdu import (
    DELIVER_SM,
    DELIVER_SM_RESP,
    GENERIC_NACK,
    SUBMIT_SM,
    SUBMIT_SM_RESP,
    message_id_answer,
    with_body,
)
from sandbox_carriers.smpp import SandboxCarrier
from tests.integration.messaging.carriers.smpp.conftest import Bound, Inbox, Send, SilentServer

PHONE = "+254712345678"
NO_RECEIPT = "+254700000007"
DROPPING = "+254700000012"
EARLY = "+254700000013"
TWICE = "+254700000014"


@pytest.mark.parametrize(
    ("recipient", "reported"),
    [
        (PHONE, (ReceiptState.DELIVERED, None)),
        ("+254700000008", (ReceiptState.UNDELIVERABLE, "3:27")),
        ("+254700000009", (ReceiptState.EXPIRED, "3:8")),
        ("+254700000010", (ReceiptState.REJECTED, "3:11")),
    ],
)
async def test_a_receipt_names_its_message_and_what_became_of_it(
    bound: Bound,
    send: Send,
    inbox: Inbox,
    recipient: str,
    reported: tuple[ReceiptState, str | None],
) -> None:
    outcome = await send(await bound(), recipient, "Your OTP is 123456")
    await inbox.wait_for(lambda: len(inbox.receipts) == 1)
    (receipt,) = inbox.receipts
    assert (receipt.carrier_message_id,) == outcome.carrier_message_ids
    assert receipt.carrier == "test"
    assert (receipt.state, receipt.network_error) == reported
    assert (receipt.recipient, receipt.sender_id) == (recipient, "TUKUPAY")
    assert receipt.done_at is not None
    assert "123456" not in receipt.raw


async def test_a_receipt_is_acknowledged_only_after_it_is_stored(
    sandbox: SandboxCarrier, bound: Bound, send: Send, inbox: Inbox
) -> None:
    inbox.gate.clear()
    await send(await bound(), PHONE)
    await inbox.wait_for(lambda: inbox.calls == 1)
    assert sandbox.stats()["receiptsSent"] == 1
    assert sandbox.stats()["receiptsAcknowledged"] == 0
    inbox.gate.set()
    await sandbox.wait_for(lambda: sandbox.stats()["receiptsAcknowledged"] == 1)
    assert len(inbox.receipts) == 1


async def test_a_receipt_that_could_not_be_stored_comes_again(
    sandbox: SandboxCarrier, bound: Bound, send: Send, inbox: Inbox
) -> None:
    inbox.failures_left = 2
    await send(await bound(), PHONE)
    await sandbox.wait_for(lambda: sandbox.stats()["receiptsAcknowledged"] == 1)
    assert inbox.calls == 3
    assert len(inbox.receipts) == 1
    assert sandbox.stats()["receiptsWaiting"] == 0


async def test_a_sink_that_hangs_is_given_up_and_the_receipt_comes_again(
    sandbox: SandboxCarrier, bound: Bound, send: Send, inbox: Inbox
) -> None:
    inbox.gate.clear()
    await send(await bound(response_timeout_s=0.1, store_timeout_s=0.3), PHONE)
    await inbox.wait_for(lambda: inbox.calls == 2)
    inbox.gate.set()
    await sandbox.wait_for(lambda: sandbox.stats()["receiptsAcknowledged"] == 1)
    assert len(inbox.receipts) == 1


async def test_receipts_that_come_while_the_sink_works_go_together(
    sandbox: SandboxCarrier, bound: Bound, send: Send, inbox: Inbox
) -> None:
    carrier = await bound()
    inbox.gate.clear()
    await send(carrier, PHONE)
    await inbox.wait_for(lambda: inbox.calls == 1)
    await asyncio.gather(*(send(carrier, PHONE, f"message {n}") for n in range(50)))
    await sandbox.wait_for(lambda: sandbox.stats()["receiptsSent"] == 51)
    inbox.gate.set()
    await sandbox.wait_for(lambda: sandbox.stats()["receiptsAcknowledged"] == 51)
    assert len(inbox.receipts) == 51
    assert inbox.calls <= 4


async def test_receipts_are_kept_while_nobody_is_bound(
    sandbox: SandboxCarrier, bound: Bound, send: Send, inbox: Inbox
) -> None:
    inbox.gate.clear()
    first = await bound()
    outcome = await send(first, PHONE)
    await inbox.wait_for(lambda: inbox.calls == 1)
    # The client goes away with the receipt unstored, so it never acknowledged it.
    await first.stop(timeout_s=0.01)
    await sandbox.wait_for(lambda: not sandbox.links)
    assert sandbox.stats()["receiptsWaiting"] == 1
    inbox.gate.set()
    await bound()
    await inbox.wait_for(lambda: len(inbox.receipts) == 1)
    assert (inbox.receipts[0].carrier_message_id,) == outcome.carrier_message_ids


async def test_the_receipt_of_a_message_without_an_answer_comes_after_the_next_bind(
    bound: Bound, send: Send, inbox: Inbox
) -> None:
    outcome = await send(await bound(), DROPPING)
    assert outcome.kind is OutcomeKind.UNKNOWN
    await inbox.wait_for(lambda: len(inbox.receipts) == 1)
    assert inbox.receipts[0].recipient == DROPPING


async def test_a_receipt_may_come_before_the_answer(
    sandbox: SandboxCarrier, bound: Bound, send: Send, inbox: Inbox
) -> None:
    outcome = await send(await bound(), EARLY)
    await inbox.wait_for(lambda: len(inbox.receipts) == 1)
    assert (inbox.receipts[0].carrier_message_id,) == outcome.carrier_message_ids


async def test_a_receipt_that_comes_twice_is_stored_twice(bound: Bound, send: Send, inbox: Inbox) -> None:
    await send(await bound(), TWICE)
    await inbox.wait_for(lambda: len(inbox.receipts) == 2)
    assert len({receipt.carrier_message_id for receipt in inbox.receipts}) == 1


async def test_each_part_has_its_receipt(bound: Bound, send: Send, inbox: Inbox) -> None:
    outcome = await send(await bound(), PHONE, "a" * 400)
    await inbox.wait_for(lambda: len(inbox.receipts) == 3)
    assert {receipt.carrier_message_id for receipt in inbox.receipts} == set(outcome.carrier_message_ids)


async def test_a_message_without_a_receipt_is_accepted_all_the_same(
    sandbox: SandboxCarrier, bound: Bound, send: Send
) -> None:
    assert (await send(await bound(), NO_RECEIPT)).kind is OutcomeKind.ACCEPTED
    assert sandbox.stats()["receiptsWaiting"] == 0


async def test_a_receipt_for_no_message_is_acknowledged_and_not_stored(
    silent_server: SilentServer, bound: Bound, inbox: Inbox
) -> None:
    await bound(silent_server.port)
    link = silent_server.links[0]
    link.send(smpp34.DeliverSm("254712345678", "22141", b"stat:DELIVRD", esm_class=4, sequence_number=9).encode())
    answer = await link.receive(DELIVER_SM_RESP)
    assert (answer.sequence, answer.status) == (9, 0)
    assert inbox.calls == 0


async def test_a_receipt_that_cannot_be_read_is_refused_for_good_and_the_link_lives(
    silent_server: SilentServer, bound: Bound, send: Send
) -> None:
    carrier = await bound(silent_server.port)
    link = silent_server.links[0]
    link.send(with_body(DELIVER_SM, 9, b"\x00\x01"))
    answer = await link.receive(DELIVER_SM_RESP)
    assert (answer.sequence, answer.status) == (9, 0x65)
    submit = asyncio.create_task(send(carrier, PHONE))
    link.send(message_id_answer(SUBMIT_SM_RESP, (await link.receive(SUBMIT_SM)).sequence, "1"))
    assert (await submit).kind is OutcomeKind.ACCEPTED


async def test_a_request_that_is_not_spoken_here_is_nacked(silent_server: SilentServer, bound: Bound) -> None:
    await bound(silent_server.port)
    link = silent_server.links[0]
    link.send(with_body(0x111, 12, b"submit_multi's neighbour"))
    answer = await link.receive(GENERIC_NACK)
    assert (answer.sequence, answer.status) == (12, 0x03)
