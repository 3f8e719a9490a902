"""Receipts from the carrier's link to the message: what its PDUs make of what was sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import structlog

from messaging_service.carriers.carrier import CarrierSinks
from messaging_service.carriers.smpp.smpp_carrier import SmppCarrier
from messaging_service.carriers.smpp.smpp_settings import IdSpelling, ReceiptsOfParts, SmppSettings
from messaging_service.shared.domain.states import State
from tests.contract.sms_examples import RECIPIENT, TWO_UNITS, accepted
from tests.doubles.scripted_smsc import Link, ScriptedSmsc
from tests.integration.messaging.conftest import sent, transitions
from tests.integration.messaging.receipts.receipts_at_work import state_of, unknown, until_matched_by_address
from tests.system.messaging_database import rows
from tests.system.messaging_replica import Replica

pytestmark = pytest.mark.timeout(60)

PHONE = RECIPIENT.removeprefix("+")
RECEIPT, ON_THE_WAY = 0x04, 0x20
ID, STATE, NETWORK_ERROR = 0x001E, 0x0427, 0x0423


@pytest.fixture(scope="module")
def smsc() -> Iterator[ScriptedSmsc]:
    with ScriptedSmsc() as running:
        yield running


class CarrierLink:
    """A carrier's end of a link, and the outbox behind the other one."""

    def __init__(self, link: Link, outbox: Replica) -> None:
        self._link = link
        self._outbox = outbox

    async def report(
        self,
        text: str | bytes = "",
        parameters: dict[int, bytes] | None = None,
        *,
        esm_class: int = RECEIPT,
        source: str = PHONE,
        source_ton: int = 1,
        destination: str = "TUKUPAY",
        data_coding: int = 0,
    ) -> None:
        """Brings a receipt, and works it once it is acknowledged."""
        sequence = self._link.deliver(
            source=source,
            source_ton=source_ton,
            source_npi=1,
            destination=destination,
            text=text.encode() if isinstance(text, str) else text,
            data_coding=data_coding,
            parameters=parameters,
            esm_class=esm_class,
        )
        assert (await self._link.answer_to(sequence)).status == 0
        await self._outbox.receipts.work(500)


@asynccontextmanager
async def carrier_link(smsc: ScriptedSmsc, outbox: Replica, **settings: object) -> AsyncIterator[CarrierLink]:
    """A bound carrier whose receipts go to the outbox."""

    async def nothing(_: object) -> None:
        """No test looks at messages from phones."""

    sinks = CarrierSinks(outbox.receipts.store, nothing, nothing)
    known = SmppSettings("127.0.0.1", smsc.port, "tukupay", "secret", **settings)  # type: ignore[arg-type]  # fields by name
    carrier = SmppCarrier(known, sinks)
    number = len(smsc.links)
    await carrier.start()
    try:
        yield CarrierLink(await smsc.link(number), outbox)
    finally:
        await carrier.stop(timeout_s=1)


async def test_a_notification_on_the_way_leaves_the_message_to_its_receipt(
    smsc: ScriptedSmsc, outbox: Replica, database_url: str
) -> None:
    message = await sent(outbox, accepted("I77"))
    async with carrier_link(smsc, outbox) as link:
        await link.report(
            "id:I77 sub:001 dlvrd:000 submit date:2612010400 done date:2612010401 stat:UNDELIV err:027 text:",
            esm_class=ON_THE_WAY,
        )
        await link.report("", {ID: b"I77\x00", STATE: b"\x05", NETWORK_ERROR: b"\x03\x00\x1b"}, esm_class=ON_THE_WAY)
        assert await state_of(outbox, message) is State.ACCEPTED
        assert await rows(database_url, "SELECT state, network_error, message_id FROM receipt ORDER BY id") == [
            ("enroute", "027", message.id),
            ("enroute", "3:27", message.id),
        ]
        await link.report("id:I77 stat:DELIVRD err:000")
    assert await state_of(outbox, message) is State.DELIVERED
    assert (await transitions(database_url, message.id))[-1] == (1, "accepted", "delivered")


@pytest.mark.parametrize("word", ["REJECT", "NACK", "NOCRED", "SYSERR", "UNDELIVRD", "SKIPPED"])
async def test_words_that_carriers_use_for_a_failure_fail_the_message(
    smsc: ScriptedSmsc, outbox: Replica, word: str
) -> None:
    message = await sent(outbox, accepted("A12"))
    async with carrier_link(smsc, outbox) as link:
        await link.report(
            f"id:A12 sub:001 dlvrd:000 submit date:2612010400 done date:2612010401 stat:{word} err:111 text:"
        )
    assert await state_of(outbox, message) is State.UNDELIVERED


async def test_a_word_of_the_carriers_own_means_what_its_settings_say(smsc: ScriptedSmsc, outbox: Replica) -> None:
    message = await sent(outbox, accepted("A12"))
    async with carrier_link(smsc, outbox, receipt_states={"0": "delivered"}) as link:
        await link.report("id:A12 stat:0 err:000")
    assert await state_of(outbox, message) is State.DELIVERED


@pytest.mark.parametrize(
    "octets",
    [
        b"\xfe\xff" + "id:A12 stat:DELIVRD err:000".encode("utf-16-be"),
        b"\xff\xfe" + "id:A12 stat:DELIVRD err:000".encode("utf-16-le"),
    ],
    ids=["big-endian", "little-endian"],
)
async def test_a_receipt_behind_a_byte_order_mark_counts(smsc: ScriptedSmsc, outbox: Replica, octets: bytes) -> None:
    message = await sent(outbox, accepted("A12"))
    async with carrier_link(smsc, outbox) as link:
        await link.report(octets, data_coding=8)
    assert await state_of(outbox, message) is State.DELIVERED


@pytest.mark.parametrize("text", ["id:1885939778 stat:DELIVRD", "stat:DELIVRD"])
async def test_the_id_of_a_parameter_is_looked_for_as_it_is(smsc: ScriptedSmsc, outbox: Replica, text: str) -> None:
    message = await sent(outbox, accepted("70592842"))
    converted = await sent(outbox, accepted("5AF"))
    async with carrier_link(smsc, outbox, submit_ids=IdSpelling.HEX, receipt_ids=IdSpelling.DECIMAL) as link:
        await link.report(text, {ID: b"70592842\x00"})
        await link.report("stat:DELIVRD", {ID: b"1455\x00"})
    assert await state_of(outbox, message) is State.DELIVERED
    assert await state_of(outbox, converted) is State.DELIVERED


async def test_a_receipt_moves_the_message_of_the_phone_that_it_comes_from(smsc: ScriptedSmsc, outbox: Replica) -> None:
    mine = await sent(outbox, accepted("777"))
    other = await sent(outbox, accepted("777"), recipient_phone_number="+254722000111")
    async with carrier_link(smsc, outbox) as link:
        await link.report("id:777 stat:UNDELIV err:001")
    assert (await state_of(outbox, mine), await state_of(outbox, other)) == (State.UNDELIVERED, State.ACCEPTED)


async def test_one_receipt_speaks_for_a_long_text_only_where_the_settings_say_so(
    smsc: ScriptedSmsc, outbox: Replica
) -> None:
    message = await sent(outbox, accepted("A1", "A2"), message=TWO_UNITS)
    async with carrier_link(smsc, outbox) as link:
        await link.report("id:A1 stat:DELIVRD")
    assert await state_of(outbox, message) is State.ACCEPTED
    other = await sent(outbox, accepted("B1", "B2"), message=TWO_UNITS)
    async with carrier_link(smsc, outbox, receipts=ReceiptsOfParts.FIRST) as link:
        await link.report("id:B2 stat:DELIVRD")
    assert await state_of(outbox, other) is State.DELIVERED


async def test_a_receipt_without_a_type_counts_only_where_the_settings_say_so_and_about_its_own_phone(
    smsc: ScriptedSmsc, outbox: Replica
) -> None:
    message = await sent(outbox, accepted("A1"))
    with structlog.testing.capture_logs() as logs:
        async with carrier_link(smsc, outbox) as link:
            for _ in range(2):
                await link.report("id:A1 stat:DELIVRD err:000", esm_class=0)
    assert await state_of(outbox, message) is State.ACCEPTED
    (said,) = (entry for entry in logs if entry["event"] == "smpp.receipt_without_type")
    assert (said["carrier"], said["sender"]) == ("smpp", "TUKUPAY")
    async with carrier_link(smsc, outbox, receipts_without_type=True) as link:
        await link.report("id:A1 stat:DELIVRD err:000", esm_class=0, source="254722000111")
        assert await state_of(outbox, message) is State.ACCEPTED
        await link.report("id:A1 stat:DELIVRD err:000", esm_class=0)
    assert await state_of(outbox, message) is State.DELIVERED


async def test_a_failure_after_a_delivery_counts_where_all_parts_have_one_id(
    smsc: ScriptedSmsc, outbox: Replica
) -> None:
    message = await sent(outbox, accepted("D01", "D01"), message=TWO_UNITS)
    async with carrier_link(smsc, outbox) as link:
        await link.report("id:D01 stat:DELIVRD err:000")
        assert await state_of(outbox, message) is State.ACCEPTED
        await link.report("id:D01 stat:UNDELIV err:027")
    assert await state_of(outbox, message) is State.UNDELIVERED


async def test_a_receipt_with_an_id_that_nobody_knows_settles_the_only_unknown_message_that_fits(
    smsc: ScriptedSmsc, outbox: Replica, database_url: str
) -> None:
    message = await unknown(outbox, database_url)
    async with carrier_link(smsc, outbox, country_code="254") as link:
        await link.report(
            "id:K01 sub:001 dlvrd:001 submit date:2612010400 done date:2612010401 stat:DELIVRD err:000 text:Your OTP",
            source="0" + PHONE.removeprefix("254"),
            source_ton=2,
            destination="tukupay",
        )
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.DELIVERED
