"""Links that break, hang, or are refused, and carriers that come back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from messaging_service.carriers.domain.submission import OutcomeKind, Submission
from messaging_service.carriers.smpp.codec.pdu import (
    ENQUIRE_LINK,
    ENQUIRE_LINK_RESP,
    GENERIC_NACK,
    SUBMIT_SM,
    SUBMIT_SM_RESP,
    UNBIND,
    UNBIND_RESP,
    bare,
    message_id_answer,
)
from messaging_service.carriers.smpp.smpp_carrier import SmppCarrier
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from messaging_service.texts.segmentation import segment
from sandbox_carriers.smpp import SandboxCarrier, SandboxSettings
from service_kit.settings import Address
from tests.integration.messaging.carriers.smpp.conftest import DEADLINE_S, Bound, Inbox, Send, SilentServer

PHONE = "+254712345678"
SILENT = "+254700000006"
DROPPING = "+254700000012"


async def test_a_link_cut_before_the_answer_leaves_the_message_unknown_and_comes_back(
    sandbox: SandboxCarrier, bound: Bound, send: Send
) -> None:
    carrier = await bound()
    outcome = await send(carrier, DROPPING)
    assert (outcome.kind, outcome.error_code) == (OutcomeKind.UNKNOWN, "CARRIER_NO_ANSWER")
    assert outcome.raw == "the link was lost before the answer"
    assert await carrier.wait_until_up(DEADLINE_S)
    assert (await send(carrier, PHONE)).kind is OutcomeKind.ACCEPTED
    assert carrier.free_slots == 10
    assert sandbox.stats()["linksTotal"] == 2


async def test_a_cut_makes_every_written_submit_unknown(sandbox: SandboxCarrier, bound: Bound, send: Send) -> None:
    carrier = await bound(window=5)
    submits = [asyncio.create_task(send(carrier, SILENT, f"message {n}")) for n in range(5)]
    await sandbox.wait_for(lambda: sandbox.stats()["outstanding"] == 5)
    sandbox.cut_links()
    outcomes = await asyncio.gather(*submits)
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.UNKNOWN}
    assert await carrier.wait_until_up(DEADLINE_S)
    assert carrier.free_slots == 5


async def test_a_slot_whose_link_went_before_a_byte_left_proves_that_nothing_was_taken(
    sandbox: SandboxCarrier, bound: Bound, send: Send
) -> None:
    carrier = await bound()

    async def submit_and_cut() -> None:
        # In the turn of the loop that queued the submit, before the next one writes it.
        bind = carrier._binds[0].session
        assert bind is not None
        bind.abort("cut by the test")

    outcome, _ = await asyncio.gather(send(carrier, PHONE), submit_and_cut())
    assert (outcome.kind, outcome.error_code) == (OutcomeKind.NOT_TAKEN, "CARRIER_UNAVAILABLE")
    assert sandbox.stats()["submits"] == 0


async def test_a_slot_without_any_bind_left_is_not_taken(sandbox: SandboxCarrier, bound: Bound, send: Send) -> None:
    carrier = await bound()
    slot = carrier.try_reserve()
    assert slot is not None
    sandbox.refuses_binds = True
    lost = asyncio.Event()
    carrier.on_slot_free(lost.set)
    sandbox.cut_links()
    async with asyncio.timeout(DEADLINE_S):
        while carrier.is_up:
            lost.clear()
            await lost.wait()
    outcome = await carrier.submit(slot, Submission("outbox_1", "TUKUPAY", PHONE, segment("Hello"), epoch=1))
    assert (outcome.kind, outcome.error_code) == (OutcomeKind.NOT_TAKEN, "CARRIER_UNAVAILABLE")
    assert carrier.try_reserve() is None
    assert not await carrier.wait_until_up(0.01)


async def test_a_carrier_that_is_down_at_the_start_is_reached_when_it_comes_up(inbox: Inbox) -> None:
    first = SandboxCarrier(SandboxSettings().on_free_ports(), with_pages=False)
    await first.start()
    port = first.smpp_port
    await first.stop()
    carrier = SmppCarrier(SmppSettings("127.0.0.1", port, "tukupay", "secret", reconnect_max_s=0.2), inbox.sinks)
    with capture_logs() as logs:
        await carrier.start()
        assert not await carrier.wait_until_up(0.05)
        settings = replace(SandboxSettings().on_free_ports(), smpp_address=Address("127.0.0.1", port))
        second = SandboxCarrier(settings, with_pages=False)
        await second.start()
        assert await carrier.wait_until_up(DEADLINE_S)
        await carrier.stop()
        await second.stop()
    unreachable = [entry for entry in logs if entry["event"] == "smpp.unreachable"]
    assert unreachable
    assert "address" in unreachable[0]["remedy"]


async def test_a_wrong_password_is_logged_with_a_remedy_and_without_the_password(
    sandbox: SandboxCarrier, inbox: Inbox
) -> None:
    carrier = SmppCarrier(SmppSettings("127.0.0.1", sandbox.smpp_port, "tukupay", "wrong"), inbox.sinks)
    with capture_logs() as logs:
        await carrier.start()
        await sandbox.wait_for(lambda: sandbox.stats()["linksTotal"] == 1)
        await sandbox.wait_for(lambda: not sandbox.links)
        assert not carrier.is_up
        await carrier.stop()
    (refused, *_) = [entry for entry in logs if entry["event"] == "smpp.bind_refused"]
    assert refused["status"] == "ESME_RINVPASWD (0x0000000E)"
    assert refused["remedy"] == "correct the password of the carrier account"
    assert "wrong" not in str(logs)


async def test_an_unbind_of_the_carrier_is_answered_and_the_bind_renewed(
    silent_server: SilentServer, bound: Bound
) -> None:
    carrier = await bound(silent_server.port)
    link = silent_server.links[0]
    link.send(bare(UNBIND, 77))
    assert (await link.receive(UNBIND_RESP)).sequence == 77
    await link.lost
    assert await carrier.wait_until_up(DEADLINE_S)
    assert len(silent_server.links) == 2


async def test_a_peer_that_answers_no_enquire_link_is_dropped(silent_server: SilentServer, bound: Bound) -> None:
    carrier = await bound(silent_server.port, enquire_link_s=0.05, response_timeout_s=0.05)
    link = silent_server.links[0]
    await link.receive(ENQUIRE_LINK)
    async with asyncio.timeout(DEADLINE_S):
        await link.lost
    assert await carrier.wait_until_up(DEADLINE_S)


async def test_a_peer_that_answers_enquire_links_is_kept(silent_server: SilentServer, bound: Bound) -> None:
    await bound(silent_server.port, enquire_link_s=0.02)
    link = silent_server.links[0]
    for _ in range(3):
        link.send(bare(ENQUIRE_LINK_RESP, (await link.receive(ENQUIRE_LINK)).sequence))
    assert not link.lost.done()


async def test_an_enquire_link_of_the_carrier_is_answered(silent_server: SilentServer, bound: Bound) -> None:
    await bound(silent_server.port)
    link = silent_server.links[0]
    link.send(bare(ENQUIRE_LINK, 4_242))
    assert (await link.receive(ENQUIRE_LINK_RESP)).sequence == 4_242


async def test_answers_out_of_order_find_their_submits(silent_server: SilentServer, bound: Bound, send: Send) -> None:
    carrier = await bound(silent_server.port)
    link = silent_server.links[0]
    submits = [asyncio.create_task(send(carrier, PHONE, f"message {n}")) for n in range(3)]
    sequences = [(await link.receive(SUBMIT_SM)).sequence for _ in range(3)]
    for sequence in reversed(sequences):
        link.send(message_id_answer(SUBMIT_SM_RESP, sequence, f"id-{sequence}"))
    outcomes = await asyncio.gather(*submits)
    assert [outcome.carrier_message_ids for outcome in outcomes] == [(f"id-{n}",) for n in sequences]


async def test_an_answer_that_comes_twice_counts_once(silent_server: SilentServer, bound: Bound, send: Send) -> None:
    carrier = await bound(silent_server.port)
    link = silent_server.links[0]
    submit = asyncio.create_task(send(carrier, PHONE))
    sequence = (await link.receive(SUBMIT_SM)).sequence
    for _ in range(2):
        link.send(message_id_answer(SUBMIT_SM_RESP, sequence, "1"))
    assert (await submit).kind is OutcomeKind.ACCEPTED
    link.send(bare(ENQUIRE_LINK, 1))
    await link.receive(ENQUIRE_LINK_RESP)
    assert carrier.free_slots == 10


@pytest.mark.parametrize(
    ("status", "kind"),
    [(0x03, OutcomeKind.REFUSED), (0x00, OutcomeKind.REFUSED), (0x58, OutcomeKind.NOT_TAKEN)],
)
async def test_a_generic_nack_answers_its_submit(
    silent_server: SilentServer, bound: Bound, send: Send, status: int, kind: OutcomeKind
) -> None:
    carrier = await bound(silent_server.port)
    link = silent_server.links[0]
    submit = asyncio.create_task(send(carrier, PHONE))
    link.send(bare(GENERIC_NACK, (await link.receive(SUBMIT_SM)).sequence, status))
    assert (await submit).kind is kind


async def test_a_carrier_that_gives_no_message_id_still_accepted(
    silent_server: SilentServer, bound: Bound, send: Send
) -> None:
    carrier = await bound(silent_server.port)
    link = silent_server.links[0]
    submit = asyncio.create_task(send(carrier, PHONE))
    link.send(bare(SUBMIT_SM_RESP, (await link.receive(SUBMIT_SM)).sequence))
    outcome = await submit
    assert (outcome.kind, outcome.carrier_message_ids) == (OutcomeKind.ACCEPTED, ())


async def test_stopping_takes_leave_and_bounds_the_wait_for_answers(
    silent_server: SilentServer, bound: Bound, send: Send
) -> None:
    carrier = await bound(silent_server.port)
    link = silent_server.links[0]
    submit = asyncio.create_task(send(carrier, PHONE))
    await link.receive(SUBMIT_SM)
    await carrier.stop(timeout_s=0.05)
    await link.receive(UNBIND)
    assert (await submit).kind is OutcomeKind.UNKNOWN
    await asyncio.wait_for(link.lost, DEADLINE_S)
