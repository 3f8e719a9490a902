"""Our two ends against an SMPP implementation that is not ours."""

from __future__ import annotations

import asyncio

import pytest
import smpp34

from messaging_service.carriers.domain.submission import OutcomeKind, ReceiptState
from messaging_service.carriers.smpp.codec.receipt_forms import TLV_MESSAGE_STATE, TLV_RECEIPTED_MESSAGE_ID
from messaging_service.carriers.smpp.codec.status import Status
from sandbox_carriers.smpp import SandboxCarrier
from tests.integration.messaging.carriers.smpp.conftest import DEADLINE_S, Bound, Inbox, Send
from tests.system.ports import free_port


async def test_our_carrier_at_a_foreign_server(bound: Bound, send: Send, inbox: Inbox) -> None:
    port = free_port()
    server = smpp34.Server("127.0.0.1", port)
    await server.start()
    try:
        async with asyncio.timeout(DEADLINE_S):
            carrier = await bound(port)
            esme = await server.next()
            assert isinstance(esme, smpp34.Esme)
            assert esme.system_id == "tukupay"

            submit = asyncio.create_task(send(carrier, "+254712345678", "Habari 😀"))
            event = await server.next()
            assert isinstance(event, smpp34.SubmitSmEvent)
            assert (event.source_addr_ton, event.source_addr_npi, event.source_addr) == (5, 0, "TUKUPAY")
            assert (event.dest_addr_ton, event.dest_addr_npi, event.destination_addr) == (
                1,
                1,
                "254712345678",
            )
            assert (event.data_coding, event.registered_delivery) == (8, 1)
            assert event.short_message.decode("utf-16-be") == "Habari 😀"
            event.accept("0A1")
            outcome = await submit
            assert (outcome.kind, outcome.carrier_message_ids) == (OutcomeKind.ACCEPTED, ("0A1",))

            acknowledged = await esme.deliver_sm(
                "TUKUPAY",
                b"id:0A1 stat:DELIVRD err:000",
                source_addr="254712345678",
                source_addr_ton=1,
                esm_class=4,
            )
            assert acknowledged.is_success
            assert [(r.carrier_message_id, r.state) for r in inbox.receipts] == [("0A1", ReceiptState.DELIVERED)]

            submit = asyncio.create_task(send(carrier, "+254712345678"))
            event = await server.next()
            assert isinstance(event, smpp34.SubmitSmEvent)
            event.reject(Status.ESME_RINVDSTADR)
            assert (await submit).error_code == "INVALID_RECIPIENT"

            await carrier.stop()
            assert isinstance(await server.next(), smpp34.Unbound)
    finally:
        await server.stop()


@pytest.mark.parametrize("bind_type", ["TRX", "TX"])
async def test_a_foreign_client_at_our_sandbox(sandbox: SandboxCarrier, bind_type: str) -> None:
    client = smpp34.Client("127.0.0.1", sandbox.smpp_port, "foreign", "secret", bind_type=bind_type)
    async with asyncio.timeout(DEADLINE_S):
        smsc = await client.connect()
        taken = await smsc.submit_sm(
            "254712345678", b"Habari", source_addr="22141", registered_delivery=bind_type == "TRX"
        )
        assert taken.is_success
        refused = await smsc.submit_sm("254700000001", b"Habari", source_addr="22141")
        assert (refused.is_success, refused.command_status) == (False, Status.ESME_RINVDSTADR)
        if bind_type == "TRX":
            receipt = await smsc.next()
            assert isinstance(receipt, smpp34.DeliverSmEvent)
            assert receipt.esm_class == 0x04
            assert receipt.short_message.startswith(f"id:{taken.message_id} sub:001 dlvrd:001".encode())
            values = {tlv.tag: tlv.value for tlv in receipt.tlvs}
            assert values[TLV_RECEIPTED_MESSAGE_ID] == f"{taken.message_id}\0".encode()
            assert values[TLV_MESSAGE_STATE] == b"\x02"
            await sandbox.wait_for(lambda: sandbox.stats()["receiptsAcknowledged"] == 1)
        await smsc.unbind()
        await client.stop()
    await sandbox.wait_for(lambda: not sandbox.links)
    assert sandbox.messages[-1].system_id == "foreign"
