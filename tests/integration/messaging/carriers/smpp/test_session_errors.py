"""Statuses that speak of the session and not of the message: the message is not taken, and the link made anew."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from messaging_service.carriers.domain.submission import OutcomeKind
from tests.doubles.scripted_smsc import ENQUIRE_LINK, GENERIC_NACK, SUBMIT_SM, Reply, ScriptedSmsc
from tests.integration.messaging.carriers.smpp.conftest import Bound, Send, until

PHONE = "+254712345678"
SESSION_ERRORS = {
    0x04: "ESME_RINVBNDSTS",
    0x05: "ESME_RALYBND",
    0x0D: "ESME_RBINDFAIL",
    0x0E: "ESME_RINVPASWD",
    0x0F: "ESME_RINVSYSID",
    0x53: "ESME_RINVSYSTYP",
}


@pytest.mark.parametrize("status", SESSION_ERRORS)
@pytest.mark.parametrize("command", [None, GENERIC_NACK])
async def test_a_submit_answered_with_an_error_of_the_session_is_not_taken_and_the_link_made_anew(
    scripted_smsc: ScriptedSmsc, bound: Bound, send: Send, status: int, command: int | None
) -> None:
    scripted_smsc.on(SUBMIT_SM, Reply(status, command=command), link=0)
    carrier = await bound(scripted_smsc.port)
    with capture_logs() as logs:
        outcome = await send(carrier, PHONE)
        name = f"{SESSION_ERRORS[status]} (0x{status:08X})"
        assert (outcome.kind, outcome.error_code, outcome.raw) == (OutcomeKind.NOT_TAKEN, "CARRIER_UNAVAILABLE", name)
        await scripted_smsc.links[0].closed()
        await scripted_smsc.link(1)
        assert (await send(carrier, PHONE)).kind is OutcomeKind.ACCEPTED
    (bind,) = carrier.status().binds
    assert bind.last_error == f"the carrier answered {name}, so the session is not bound for it"
    assert [entry["status"] for entry in logs if entry["event"] == "smpp.session_refused"] == [name]


async def test_others_in_flight_get_their_answers_before_the_link_is_dropped(
    scripted_smsc: ScriptedSmsc, bound: Bound, send: Send
) -> None:
    scripted_smsc.on(SUBMIT_SM, None, link=0)
    carrier = await bound(scripted_smsc.port)
    link = await scripted_smsc.link(0)
    submits = [asyncio.create_task(send(carrier, PHONE, f"message {n}")) for n in range(3)]
    asked = [await link.get(SUBMIT_SM) for _ in range(3)]
    link.reply(asked[0], Reply(0x04))
    await submits[0]
    assert not carrier.is_up
    link.reply(asked[1], Reply())
    link.reply(asked[2], Reply(0x04))
    outcomes = await asyncio.gather(*submits)
    assert [outcome.kind for outcome in outcomes] == [
        OutcomeKind.NOT_TAKEN,
        OutcomeKind.ACCEPTED,
        OutcomeKind.NOT_TAKEN,
    ]
    await link.closed()


@pytest.mark.parametrize("command", [None, GENERIC_NACK])
async def test_an_enquire_link_answered_with_an_error_of_the_session_has_the_link_made_anew(
    scripted_smsc: ScriptedSmsc, bound: Bound, command: int | None
) -> None:
    scripted_smsc.on(ENQUIRE_LINK, Reply(0x04, command=command), link=0)
    await bound(scripted_smsc.port, enquire_link_s=0.02)
    link = await scripted_smsc.link(0)
    await link.closed()
    await scripted_smsc.link(1)
    assert len(link.of(ENQUIRE_LINK)) == 1


async def test_a_nack_without_a_number_that_speaks_of_the_session_has_the_link_made_anew(
    scripted_smsc: ScriptedSmsc, bound: Bound
) -> None:
    await bound(scripted_smsc.port)
    link = await scripted_smsc.link(0)
    link.write(bytes.fromhex("00000010 80000000 00000004 00000000"))
    await link.closed()
    await scripted_smsc.link(1)


async def test_other_errors_of_an_enquire_link_prove_that_the_peer_is_there(
    scripted_smsc: ScriptedSmsc, bound: Bound
) -> None:
    scripted_smsc.on(ENQUIRE_LINK, Reply(0x08))
    await bound(scripted_smsc.port, enquire_link_s=0.02)
    link = await scripted_smsc.link(0)
    for _ in range(3):
        await link.get(ENQUIRE_LINK)
    assert link.closed_at_s is None


async def test_a_nack_without_a_number_that_asks_for_a_slower_pace_slows_the_bind(
    scripted_smsc: ScriptedSmsc, bound: Bound
) -> None:
    carrier = await bound(scripted_smsc.port, throttle_pause_s=0.01)
    link = await scripted_smsc.link(0)
    link.write(bytes.fromhex("00000010 80000000 00000058 00000000"))
    await until(carrier, lambda: carrier.free_slots == 5)
    assert link.closed_at_s is None
