"""Our client at the server of the npm package `smpp`, which reads and writes PDUs in its own way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from messaging_service.carriers.domain.submission import OutcomeKind, ReceiptState, canonical_carrier_id
from messaging_service.carriers.smpp.smpp_carrier import SmppCarrier
from messaging_service.carriers.smpp.smpp_settings import (
    BindMode,
    IdSpelling,
    LongText,
    SmppSettings,
    TextForm,
    ValidityForm,
)
from messaging_service.texts.segmentation import segment
from tests.integration.messaging.carriers.smpp.conftest import Bound, Inbox, Send, until
from tests.integration.messaging.carriers.smpp.foreign import ForeignServer, foreign_server
from tests.integration.messaging.carriers.smpp.test_tls import Certificates, certificates
from tests.system.node_peers import PEERS, installed_peer

__all__ = ["certificates"]

PHONE = "+254712345678"
REFUSING = "+254700000001"
THROTTLING = "+254700000002"
LATE = "+254700000003"
CUTTING = "+254700000004"
WRITING = "+254700000005"
IDS = {"submit_ids": IdSpelling.HEX, "receipt_ids": IdSpelling.DECIMAL}
GSM7 = "Habari [ndugu] £ ñ Ω {~} € " * 20
UCS2 = "Здравствуйте 😀 " * 20


@pytest.fixture(scope="session")
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed_peer(request, tmp_path_factory, PEERS, "smpp_peer")


@pytest.fixture
async def server(peer: Path) -> AsyncIterator[ForeignServer]:
    async with foreign_server(peer) as running:
        yield running


async def test_a_message_and_its_receipt_in_another_spelling_of_the_id(
    server: ForeignServer, bound: Bound, send: Send, inbox: Inbox
) -> None:
    carrier = await bound(server.port, **IDS, service_type="CMT")
    outcome = await send(carrier, PHONE, "Your OTP is 123456.")
    assert outcome.carrier_message_ids == ("000000A0F1",)
    await inbox.wait_for(lambda: len(inbox.receipts) == 1)
    (receipt,) = inbox.receipts
    read = {canonical_carrier_id(read) for read in (receipt.carrier_message_id, receipt.other_message_id) if read}
    assert canonical_carrier_id("000000A0F1") in read
    assert (receipt.state, receipt.recipient) == (ReceiptState.DELIVERED, PHONE)
    await server.wait_for(lambda: bool(server.of("receipt_answered")))
    assert server.of("receipt_answered") == [{"event": "receipt_answered", "status": 0}]
    (submit,) = await server.submits()
    del submit["validity_period"]
    assert submit == {
        "event": "submit_sm",
        "source": [5, 0, "TUKUPAY"],
        "destination": [1, 1, "254712345678"],
        "text": "Your OTP is 123456.",
        "udh": None,
        "data_coding": 0,
        "esm_class": 0,
        "registered_delivery": 1,
        "service_type": "CMT",
        "sar": [None, None, None],
    }


@pytest.mark.parametrize("form", [ValidityForm.RELATIVE, ValidityForm.ABSOLUTE])
async def test_the_validity_is_read_as_the_instant_that_was_meant(
    server: ForeignServer, bound: Bound, send: Send, form: ValidityForm
) -> None:
    carrier = await bound(server.port, default_validity_s=600, validity_form=form)
    meant = datetime.now(UTC) + timedelta(seconds=600)
    await send(carrier, PHONE)
    (submit,) = await server.submits()
    assert abs(datetime.fromisoformat(submit["validity_period"]) - meant) < timedelta(seconds=5)


@pytest.mark.parametrize("text", [GSM7, UCS2])
@pytest.mark.parametrize("long_text", list(LongText))
async def test_a_long_text_reads_back_whole(
    server: ForeignServer, bound: Bound, send: Send, *, text: str, long_text: LongText
) -> None:
    carrier = await bound(server.port, long_text=long_text)
    outcome = await send(carrier, PHONE, text)
    assert outcome.kind is OutcomeKind.ACCEPTED
    total = segment(text).units
    submits = await server.submits(len(set(outcome.carrier_message_ids)))
    if long_text is LongText.PAYLOAD:
        assert [submit["payload"] for submit in submits] == [text]
        return
    assert "".join(submit["text"] for submit in submits) == text
    assert len(submits) == total
    if long_text is LongText.UDH:
        headers = [bytes.fromhex(submit["udh"]) for submit in submits]
        assert [header[-2:] for header in headers] == [bytes((total, number)) for number in range(1, total + 1)]
        assert {submit["esm_class"] for submit in submits} == {0x40}
    else:
        assert [submit["sar"][1:] for submit in submits] == [[total, number] for number in range(1, total + 1)]


async def test_latin1_reads_back(server: ForeignServer, bound: Bound, send: Send) -> None:
    carrier = await bound(server.port, text_form=TextForm.LATIN1)
    await send(carrier, PHONE, "señor [Müller] ¿£5?")
    (submit,) = await server.submits()
    assert (submit["data_coding"], submit["text"]) == (3, "señor [Müller] ¿£5?")


async def test_refusal_and_throttling(server: ForeignServer, bound: Bound, send: Send) -> None:
    carrier = await bound(server.port)
    assert (await send(carrier, REFUSING)).error_code == "INVALID_RECIPIENT"
    assert (await send(carrier, THROTTLING)).error_code == "CARRIER_THROTTLED"
    assert (await send(carrier, THROTTLING)).kind is OutcomeKind.ACCEPTED


async def test_an_answer_that_is_late(server: ForeignServer, bound: Bound, send: Send, inbox: Inbox) -> None:
    carrier = await bound(server.port, response_timeout_s=0.5)
    assert (await send(carrier, LATE)).kind is OutcomeKind.UNKNOWN
    assert (await send(carrier, PHONE)).kind is OutcomeKind.ACCEPTED
    await inbox.wait_for(lambda: len(inbox.late) == 1)
    assert inbox.late[0].outcome.kind is OutcomeKind.ACCEPTED


async def test_a_link_that_is_destroyed_comes_back(server: ForeignServer, bound: Bound, send: Send) -> None:
    carrier = await bound(server.port)
    assert (await send(carrier, CUTTING)).kind is OutcomeKind.UNKNOWN
    assert (await send(carrier, PHONE)).kind is OutcomeKind.ACCEPTED
    await server.wait_for(lambda: len(server.of("bind_transceiver")) == 2)


async def test_a_pair_with_messages_from_a_phone(server: ForeignServer, bound: Bound, send: Send, inbox: Inbox) -> None:
    carrier = await bound(server.port, bind_mode=BindMode.PAIR)
    await until(carrier, lambda: carrier.status().remark is None)
    await send(carrier, WRITING, sender_id="22141")
    await inbox.wait_for(lambda: len(inbox.inbound) == 2)
    assert [(message.phone, message.sender_id, message.text) for message in inbox.inbound] == [
        (WRITING, "22141", "STOP @ [€]"),
        (WRITING, "22141", "Acha 😀"),
    ]
    await server.wait_for(lambda: len(server.of("inbound_answered")) == 2)
    assert {entry["status"] for entry in server.of("inbound_answered")} == {0}
    await carrier.stop()
    await server.wait_for(lambda: len(server.of("unbind")) == 2)
    assert not server.of("error")


async def test_a_wrong_password(server: ForeignServer, inbox: Inbox) -> None:
    carrier = SmppCarrier(SmppSettings("127.0.0.1", server.port, "tukupay", "wrong"), inbox.sinks)
    with capture_logs() as logs:
        await carrier.start()
        await until(carrier, lambda: bool(carrier.status().binds[0].last_error))
        await carrier.stop()
    assert carrier.status().binds[0].last_error == "ESME_RINVPASWD (0x0000000E)"
    assert any(entry["event"] == "smpp.bind_refused" for entry in logs)


async def test_tls(peer: Path, certificates: Certificates, bound: Bound, send: Send, inbox: Inbox) -> None:
    tls: dict[str, Any] = {"tls": True, "tls_ca_file": certificates.ca, "tls_server_name": "smsc.example"}
    async with foreign_server(peer, certificates.server_key, certificates.server) as server:
        carrier = await bound(server.port, **tls)
        outcomes = await asyncio.gather(*(send(carrier, PHONE, f"message {n}") for n in range(20)))
        assert {outcome.kind for outcome in outcomes} == {OutcomeKind.ACCEPTED}
        await inbox.wait_for(lambda: len(inbox.receipts) == 20)
        await carrier.stop()
