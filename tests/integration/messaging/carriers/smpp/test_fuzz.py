"""Tens of thousands of PDUs that no honest peer sends; `python -m tests.faults.fuzz_smpp` sends a million."""

from __future__ import annotations

import asyncio
from itertools import islice

import pytest
from structlog.testing import capture_logs

from messaging_service.carriers.smpp.codec.pdu import ENQUIRE_LINK, ENQUIRE_LINK_RESP, SUBMIT_SM, bare
from messaging_service.carriers.smpp.smpp_settings import BindMode, IdSpelling
from tests.integration.messaging.carriers.smpp.conftest import DEADLINE_S, Bound, Inbox, Send, SilentServer
from tests.integration.messaging.carriers.smpp.fuzzing import FATAL, Fuzzer

PHONE = "+254712345678"
ROUNDS = 10
PDUS_A_ROUND = 1_000
LAST = 123_456_789


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("mode", list(BindMode))
async def test_a_carrier_that_sends_anything_at_all_breaks_nothing(
    silent_server: SilentServer, bound: Bound, send: Send, inbox: Inbox, *, seed: int, mode: BindMode
) -> None:
    faults: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    pdus = Fuzzer(seed).pdus()
    with capture_logs() as logs:
        carrier = await bound(
            silent_server.port,
            bind_mode=mode,
            submit_ids=IdSpelling.DECIMAL,
            receipt_ids=IdSpelling.HEX,
            country_code="254",
            # A carrier that unbinds is waited for as long as submits may wait for their answers, which never come here.
            response_timeout_s=0.15,
        )
        for round_number in range(ROUNDS):
            link = await silent_server.next_bind()
            submits = [asyncio.create_task(send(carrier, PHONE)) for _ in range(3 * (mode is BindMode.TRANSCEIVER))]
            if submits:
                await link.receive(SUBMIT_SM)
            for pdu in islice(pdus, PDUS_A_ROUND):
                link.send(pdu)
            # The answer to this one says that all before it were read, or the link is gone for one of them.
            link.send(bare(ENQUIRE_LINK, LAST))
            async with asyncio.timeout(DEADLINE_S):
                while not link.lost.done() and not link.answered(ENQUIRE_LINK_RESP, LAST):
                    await link.more()
            link.pdus.clear()
            link.send(FATAL[round_number % len(FATAL)])
            async with asyncio.timeout(DEADLINE_S):
                await link.lost
            await asyncio.gather(*submits)
        assert await carrier.wait_until_up(DEADLINE_S)
    assert not faults
    assert not [entry for entry in logs if "exc_info" in entry or entry["event"] == "smpp.bind_failed"]
    assert len(inbox.receipts) > PDUS_A_ROUND / 10
    assert len(inbox.inbound) > PDUS_A_ROUND / 100
    assert not any("\x00" in receipt.raw or "\x00" in receipt.carrier_message_id for receipt in inbox.receipts)
