"""What some carriers want and others do not, over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from messaging_service.carriers.domain.submission import Submission, Validity
from messaging_service.carriers.smpp.smpp_settings import BindMode, ValidityForm
from messaging_service.opt_outs.domain.inbound import InboundMessage
from messaging_service.texts.segmentation import segment
from tests.doubles.scripted_smsc import (
    BIND_RECEIVER,
    BIND_TRANSCEIVER,
    BIND_TRANSMITTER,
    DELIVER_SM,
    RESP,
    SUBMIT_SM,
    BindFields,
    Link,
    ScriptedSmsc,
)
from tests.integration.messaging.carriers.smpp.conftest import Bound, Inbox, Reserve, Send

PHONE = "+254712345678"


async def test_a_bind_says_which_addresses_it_serves_and_which_version_it_speaks(
    scripted_smsc: ScriptedSmsc, bound: Bound
) -> None:
    await bound(scripted_smsc.port, address_range="22141", addr_ton=1, addr_npi=9, interface_version=0x33)
    got = await (await scripted_smsc.link(0)).get(BIND_TRANSCEIVER)
    assert got.bind == BindFields("tukupay", "secret", "", 0x33, 1, 9, "22141")


async def test_both_sessions_of_a_pair_say_so(scripted_smsc: ScriptedSmsc, bound: Bound) -> None:
    await bound(scripted_smsc.port, bind_mode=BindMode.PAIR, address_range="^22141$", interface_version=0x33)
    await scripted_smsc.link(1)
    binds = [scripted_smsc.all_of(command)[0].bind for command in (BIND_TRANSMITTER, BIND_RECEIVER)]
    assert {(bind.interface_version, bind.address_range) for bind in binds} == {(0x33, "^22141$")}


async def test_a_bind_without_wishes_is_for_all_addresses(scripted_smsc: ScriptedSmsc, bound: Bound) -> None:
    await bound(scripted_smsc.port)
    got = await (await scripted_smsc.link(0)).get(BIND_TRANSCEIVER)
    assert got.body.endswith(b"\x00\x34\x00\x00\x00")


def bring_receipt(link: Link) -> int:
    return link.deliver(source="254712345678", text=b"id:1 stat:DELIVRD err:000", esm_class=0x04)


def bring_stop(link: Link) -> int:
    return link.deliver(source="254712345678", source_ton=1, destination="22141", text=b"STOP")


@pytest.mark.parametrize("bring", [bring_receipt, bring_stop])
@pytest.mark.parametrize(("chosen", "status"), [({}, 0x64), ({"not_stored_status": 0x08}, 0x08)])
async def test_the_carrier_gets_the_status_at_which_it_brings_again_what_could_not_be_stored(
    scripted_smsc: ScriptedSmsc, bound: Bound, inbox: Inbox, *, bring: object, chosen: dict[str, int], status: int
) -> None:
    await bound(scripted_smsc.port, **chosen)
    link = await scripted_smsc.link(0)
    inbox.failures_left = 1
    answers = [await link.answer_to(bring(link)) for _ in range(2)]  # type: ignore[operator]  # one of the two above
    assert [(answer.command, answer.status) for answer in answers] == [
        (DELIVER_SM | RESP, status),
        (DELIVER_SM | RESP, 0),
    ]
    assert len(inbox.receipts) + len(inbox.inbound) == 1


async def test_what_cannot_be_stored_is_answered_in_time_also_when_it_waits_behind_others(
    scripted_smsc: ScriptedSmsc, bound: Bound, inbox: Inbox
) -> None:
    inbox.gate.clear()
    await bound(scripted_smsc.port, store_timeout_s=1.0, response_timeout_s=60.0)
    link = await scripted_smsc.link(0)
    loop = asyncio.get_running_loop()
    brought: list[tuple[float, int]] = []
    for number in range(3):
        brought.append((loop.time(), bring_receipt(link)))
        await inbox.wait_for(lambda: inbox.calls >= 1)
        await asyncio.sleep(0.1 if number else 0.0)
    for brought_at_s, sequence in brought:
        answer = await link.answer_to(sequence)
        assert answer.status == 0x64
        assert answer.at_s - brought_at_s < 1.6
    inbox.gate.set()


async def test_what_cannot_be_stored_is_answered_in_time_also_when_the_database_takes_long_to_be_left(
    scripted_smsc: ScriptedSmsc, bound: Bound, inbox: Inbox
) -> None:
    # As psycopg does with a server that stands still: it asks it to cancel, and waits for the answer to that.
    left = asyncio.Event()
    under_way = 0

    async def stands_still(messages: Sequence[InboundMessage]) -> None:
        del messages
        nonlocal under_way
        under_way += 1
        assert under_way == 1, "one call at a time"
        try:
            await asyncio.Event().wait()
        finally:
            await left.wait()
            under_way -= 1

    store = inbox.store_inbound
    inbox.store_inbound = stands_still  # type: ignore[method-assign]  # put back below
    await bound(scripted_smsc.port, store_timeout_s=0.5, response_timeout_s=60.0)
    link = await scripted_smsc.link(0)
    for _ in range(2):
        brought_at_s = asyncio.get_running_loop().time()
        answer = await link.answer_to(bring_stop(link))
        assert answer.status == 0x64
        assert answer.at_s - brought_at_s < 1.5
    left.set()
    inbox.store_inbound = store  # type: ignore[method-assign]
    assert inbox.inbound == []


@pytest.mark.parametrize(
    ("form", "written"),
    [(ValidityForm.RELATIVE, "000000001000000R"), (ValidityForm.ABSOLUTE, "261122104000000+"), (ValidityForm.OFF, "")],
)
async def test_a_carrier_is_told_until_when_a_message_is_wanted_as_it_likes_or_not_at_all(
    scripted_smsc: ScriptedSmsc, bound: Bound, reserve: Reserve, form: ValidityForm, written: str
) -> None:
    carrier = await bound(scripted_smsc.port, validity_form=form)
    now = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
    carrier._parts._now = lambda: now
    slot = await reserve(carrier)
    validity = Validity(now + timedelta(minutes=10), 600.0)
    await carrier.submit(slot, Submission("outbox_1", "TUKUPAY", PHONE, segment("Hello"), epoch=1, validity=validity))
    assert [got.submit.validity_period for got in scripted_smsc.all_of(SUBMIT_SM)] == [written]


@pytest.mark.parametrize(
    ("sender_id", "address"),
    [
        ("TUKUPAY", (5, 0, "TUKUPAY")),
        ("22141", (3, 0, "22141")),
        ("+254712345678", (1, 1, "254712345678")),
        ("0722000000", (2, 1, "0722000000")),
        ("722000000", (2, 1, "722000000")),
    ],
)
async def test_a_sender_is_told_with_the_type_of_number_that_it_is(
    scripted_smsc: ScriptedSmsc, bound: Bound, send: Send, sender_id: str, address: tuple[int, int, str]
) -> None:
    await send(await bound(scripted_smsc.port), PHONE, sender_id=sender_id)
    (got,) = [got.submit for got in scripted_smsc.all_of(SUBMIT_SM)]
    assert (got.source_ton, got.source_npi, got.source) == address
