"""Messages from phones are stored before they are acknowledged, like receipts."""

from __future__ import annotations

import pytest
import smpp34
import structlog

from messaging_service.carriers.domain.submission import ReceiptState
from messaging_service.carriers.smpp.codec.pdu import (
    DATA_SM,
    DELIVER_SM_RESP,
    RESPONSE,
    with_body,
)
from tests.integration.messaging.carriers.smpp.conftest import Bound, Inbox, SilentServer

STOP = smpp34.DeliverSm("254712345678", "22141", b"STOP", source_addr_ton=1, sequence_number=9).encode()


async def test_a_message_is_acknowledged_only_after_it_is_stored(
    silent_server: SilentServer, bound: Bound, inbox: Inbox
) -> None:
    await bound(silent_server.port)
    link = silent_server.links[0]
    inbox.gate.clear()
    link.send(STOP)
    await inbox.wait_for(lambda: inbox.calls == 1)
    assert not link.pdus
    inbox.gate.set()
    answer = await link.receive(DELIVER_SM_RESP)
    assert (answer.sequence, answer.status) == (9, 0)
    (message,) = inbox.inbound
    assert (message.carrier, message.phone, message.sender_id, message.text) == (
        "test",
        "+254712345678",
        "22141",
        "STOP",
    )
    assert not message.is_opt_out


async def test_a_message_that_could_not_be_stored_is_asked_for_again(
    silent_server: SilentServer, bound: Bound, inbox: Inbox
) -> None:
    await bound(silent_server.port)
    link = silent_server.links[0]
    inbox.failures_left = 1
    link.send(STOP)
    assert (await link.receive(DELIVER_SM_RESP)).status == 0x64
    link.send(STOP)
    assert (await link.receive(DELIVER_SM_RESP)).status == 0
    assert len(inbox.inbound) == 1


async def test_a_phone_cannot_forge_a_receipt(silent_server: SilentServer, bound: Bound, inbox: Inbox) -> None:
    await bound(silent_server.port)
    link = silent_server.links[0]
    link.send(smpp34.DeliverSm("254712345678", "22141", b"id:1 stat:DELIVRD", source_addr_ton=1).encode())
    assert (await link.receive(DELIVER_SM_RESP)).status == 0
    assert (len(inbox.inbound), len(inbox.receipts)) == (1, 0)


async def test_the_parts_of_a_long_message_are_handed_over_one_by_one(
    silent_server: SilentServer, bound: Bound, inbox: Inbox
) -> None:
    await bound(silent_server.port)
    link = silent_server.links[0]
    for number, text in ((1, b"first "), (2, b"second")):
        octets = bytes((5, 0, 3, 77, 2, number)) + text
        pdu = smpp34.DeliverSm(
            "254712345678", "22141", octets, source_addr_ton=1, esm_class=0x40, sequence_number=number
        )
        link.send(pdu.encode())
        assert (await link.receive(DELIVER_SM_RESP)).sequence == number
    assert [message.text for message in inbox.inbound] == ["first ", "second"]


async def test_what_is_no_text_is_kept_without_it(silent_server: SilentServer, bound: Bound, inbox: Inbox) -> None:
    await bound(silent_server.port)
    link = silent_server.links[0]
    with structlog.testing.capture_logs() as logs:
        link.send(smpp34.DeliverSm("254712345678", "22141", b"\x01", source_addr_ton=1, data_coding=4).encode())
        assert (await link.receive(DELIVER_SM_RESP)).status == 0
    assert [(message.phone, message.text) for message in inbox.inbound] == [("+254712345678", None)]
    (said,) = (entry for entry in logs if entry["event"] == "smpp.inbound_unreadable")
    assert (said["sender"], said["reason"]) == ("22141", "data_coding 4 is no text")


async def test_a_sender_that_is_no_phone_is_refused_for_good_and_hidden_in_the_log(
    silent_server: SilentServer, bound: Bound, inbox: Inbox
) -> None:
    await bound(silent_server.port)
    link = silent_server.links[0]
    with structlog.testing.capture_logs() as logs:
        link.send(smpp34.DeliverSm("999712345678", "22141", b"STOP", source_addr_ton=1).encode())
        assert (await link.receive(DELIVER_SM_RESP)).status == 0x65
    assert not inbox.inbound
    (said,) = (entry for entry in logs if entry["event"] == "smpp.inbound_refused")
    assert "999712…78 of TON 1" in said["reason"]


@pytest.mark.parametrize(
    ("address", "country_code"),
    [
        ((2, "254700592897"), "254"),
        ((1, "0700592897"), "254"),
        ((1, "00254700592897"), "254"),
        ((0, "700592897"), "254"),
        ((2, "254700592897"), ""),
        ((4, "254700592897"), ""),
    ],
)
async def test_a_word_of_opting_out_is_kept_whatever_type_its_number_is_said_to_be_of(
    silent_server: SilentServer, bound: Bound, inbox: Inbox, address: tuple[int, str], country_code: str
) -> None:
    await bound(silent_server.port, country_code=country_code)
    link = silent_server.links[0]
    ton, digits = address
    link.send(smpp34.DeliverSm(digits, "22141", b"STOP", source_addr_ton=ton, source_addr_npi=1).encode())
    assert (await link.receive(DELIVER_SM_RESP)).status == 0
    assert [(message.phone, message.text) for message in inbox.inbound] == [("+254700592897", "STOP")]


@pytest.mark.parametrize(
    "parameters",
    [
        b"\x00\x1e\x00\x047b1\0\x04\x27\x00\x01\x02",
        b"\x04\x24\x00\x1did:7b1 stat:DELIVRD err:000   ",
    ],
    ids=["in parameters", "in message_payload"],
)
async def test_a_receipt_may_come_as_data_sm(
    silent_server: SilentServer, bound: Bound, inbox: Inbox, parameters: bytes
) -> None:
    await bound(silent_server.port)
    link = silent_server.links[0]
    link.send(with_body(DATA_SM, 9, b"\0\x01\x01254712345678\0\x03\x0022141\0\x04\x00\x00" + parameters))
    answer = await link.receive(RESPONSE | DATA_SM)
    assert (answer.sequence, answer.status) == (9, 0)
    (receipt,) = inbox.receipts
    assert (receipt.carrier_message_id, receipt.state) == ("7b1", ReceiptState.DELIVERED)
    assert receipt.recipient == "+254712345678"


async def test_a_receipt_may_come_in_message_payload(silent_server: SilentServer, bound: Bound, inbox: Inbox) -> None:
    await bound(silent_server.port)
    link = silent_server.links[0]
    payload = smpp34.Tlv(0x0424, b"id:7b1 stat:UNDELIV err:027")
    link.send(smpp34.DeliverSm("254712345678", "22141", b"", esm_class=4, tlvs=[payload]).encode())
    await link.receive(DELIVER_SM_RESP)
    (receipt,) = inbox.receipts
    assert (receipt.carrier_message_id, receipt.state, receipt.network_error) == (
        "7b1",
        ReceiptState.UNDELIVERABLE,
        "027",
    )
