"""Receipts from the carrier's link to the message: what its PDUs make of what was sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from messaging_service.adapters.carriers.smpp import SmppCarrier, SmppSettings
from messaging_service.adapters.postgres.outbox import PostgresOutbox
from messaging_service.domain.states import State
from messaging_service.use_cases.carrier import CarrierSinks
from tests.contract.messaging_database import rows
from tests.contract.sms_examples import RECIPIENT, accepted
from tests.doubles.scripted_smsc import Link, ScriptedSmsc
from tests.integration.messaging.conftest import sent, transitions
from tests.integration.messaging.receipts_at_work import state_of

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

    def __init__(self, link: Link, outbox: PostgresOutbox) -> None:
        self._link = link
        self._outbox = outbox

    async def report(
        self,
        text: str = "",
        parameters: dict[int, bytes] | None = None,
        *,
        esm_class: int = RECEIPT,
        source: str = PHONE,
    ) -> None:
        """Brings a receipt, and works it once it is acknowledged."""
        sequence = self._link.deliver(
            source=source,
            source_ton=1,
            source_npi=1,
            destination="TUKUPAY",
            text=text.encode(),
            parameters=parameters,
            esm_class=esm_class,
        )
        assert (await self._link.answer_to(sequence)).status == 0
        await self._outbox.work(500)


@asynccontextmanager
async def carrier_link(smsc: ScriptedSmsc, outbox: PostgresOutbox, **settings: object) -> AsyncIterator[CarrierLink]:
    """A bound carrier whose receipts go to the outbox."""

    async def nothing(_: object) -> None:
        raise AssertionError("only receipts come in these tests")

    sinks = CarrierSinks(outbox.store, nothing, nothing)
    known = SmppSettings("127.0.0.1", smsc.port, "tukupay", "secret", **settings)  # type: ignore[arg-type]  # fields by name
    carrier = SmppCarrier(known, sinks)
    number = len(smsc.links)
    await carrier.start()
    try:
        yield CarrierLink(await smsc.link(number), outbox)
    finally:
        await carrier.stop(timeout_s=1)


async def test_a_notification_on_the_way_leaves_the_message_to_its_receipt(
    smsc: ScriptedSmsc, outbox: PostgresOutbox, database_url: str
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
