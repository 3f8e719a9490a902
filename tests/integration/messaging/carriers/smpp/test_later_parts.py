"""Later parts of long texts at a carrier that does not take them: they wait as single messages do."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from messaging_service.carriers.domain.submission import OutcomeKind, Submission, Validity
from messaging_service.texts.segmentation import segment
from tests.doubles.scripted_smsc import SUBMIT_SM, Received, Reply, ScriptedSmsc
from tests.integration.messaging.carriers.smpp.conftest import DEADLINE_S, Bound, Reserve, Send

PHONE = "+254712345678"
LONG = "a" * 200
PAUSES = {"throttle_pause_s": 0.05, "throttle_pause_max_s": 0.4}
BUSY_S = 1.0


def is_later_part(got: Received) -> bool:
    """Its user data header counts from 1."""
    return got.submit.esm_class == 0x40 and got.submit.text[5] > 1


def refusing_later_parts(smsc: ScriptedSmsc, status: int) -> None:
    """For some time from now."""
    until_s = time.monotonic() + BUSY_S

    def answer(got: Received) -> Reply:
        return Reply(status if is_later_part(got) and got.at_s < until_s else 0)

    smsc.on(SUBMIT_SM, answer)


def later_parts(smsc: ScriptedSmsc) -> list[Received]:
    return [got for got in smsc.all_of(SUBMIT_SM) if is_later_part(got)]


@pytest.mark.parametrize("status", [0x58, 0x14])
async def test_a_later_part_waits_for_the_pause_of_its_bind_however_long_it_takes(
    scripted_smsc: ScriptedSmsc, bound: Bound, send: Send, status: int
) -> None:
    # The time in which an answer is due is shorter than the carrier throttles.
    carrier = await bound(scripted_smsc.port, response_timeout_s=0.5, **PAUSES)
    refusing_later_parts(scripted_smsc, status)
    outcome = await send(carrier, PHONE, LONG, send_within_s=DEADLINE_S)
    assert (outcome.kind, outcome.carrier_message_ids) == (OutcomeKind.ACCEPTED, ("1", "2"))
    # Pauses of 0.05, 0.1, 0.2 and then 0.4 s.
    assert 3 <= len(later_parts(scripted_smsc)) <= 8


async def test_later_parts_of_many_messages_ask_a_throttling_carrier_as_seldom_as_one_does(
    scripted_smsc: ScriptedSmsc, bound: Bound, send: Send
) -> None:
    carrier = await bound(scripted_smsc.port, **PAUSES)
    refusing_later_parts(scripted_smsc, 0x58)
    outcomes = await asyncio.gather(*(send(carrier, PHONE, f"{n}" + LONG, send_within_s=DEADLINE_S) for n in range(10)))
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.ACCEPTED}
    # Ten that were on their way when the first pause began, the 5, 2 and 1 of the halved windows after it, one after
    # each of the four pauses of 0.4 s at most, and ten that are taken.
    assert len(later_parts(scripted_smsc)) <= 10 + 5 + 2 + 1 + 5 + 10
    assert carrier.free_slots >= 1


async def test_a_later_part_that_is_never_taken_ends_with_the_claim(
    scripted_smsc: ScriptedSmsc, bound: Bound, send: Send
) -> None:
    scripted_smsc.on(SUBMIT_SM, lambda got: Reply(0x58 if is_later_part(got) else 0))
    carrier = await bound(scripted_smsc.port, **PAUSES)
    began = time.monotonic()
    outcome = await send(carrier, PHONE, LONG, send_within_s=1.0)
    assert (outcome.kind, outcome.error_code) == (OutcomeKind.REFUSED, "PARTIALLY_SENT")
    assert outcome.raw == "ESME_RTHROTTLED (0x00000058)"
    assert outcome.carrier_message_ids == ("1",)
    assert later_parts(scripted_smsc)[-1].at_s - began < 1.0


async def test_a_later_part_of_a_message_that_is_not_wanted_any_more_is_not_sent(
    scripted_smsc: ScriptedSmsc, bound: Bound, reserve: Reserve
) -> None:
    scripted_smsc.on(SUBMIT_SM, lambda got: Reply(0x58 if is_later_part(got) else 0))
    carrier = await bound(scripted_smsc.port, **PAUSES)
    slot = await reserve(carrier)
    validity = Validity(datetime.now(UTC) + timedelta(seconds=0.7), 0.7)
    began = time.monotonic()
    submission = Submission(
        "outbox_1", "TUKUPAY", PHONE, segment(LONG), epoch=1, validity=validity, send_within_s=DEADLINE_S
    )
    assert (await carrier.submit(slot, submission)).error_code == "PARTIALLY_SENT"
    assert later_parts(scripted_smsc)[-1].at_s - began < 0.7


async def test_a_later_part_at_a_busy_carrier_is_tried_less_and_less_often(
    scripted_smsc: ScriptedSmsc, bound: Bound, send: Send
) -> None:
    scripted_smsc.on(SUBMIT_SM, lambda got: Reply(0x08 if is_later_part(got) else 0))
    carrier = await bound(scripted_smsc.port)
    outcome = await send(carrier, PHONE, LONG, send_within_s=2.0)
    assert (outcome.kind, outcome.raw) == (OutcomeKind.REFUSED, "ESME_RSYSERR (0x00000008)")
    # After 0.2 s, 0.4 s and 0.8 s, or somewhat later.
    assert 2 <= len(later_parts(scripted_smsc)) <= 4


async def test_a_later_part_goes_by_the_next_link_when_the_carrier_unbinds_between_two(
    scripted_smsc: ScriptedSmsc, bound: Bound, send: Send
) -> None:
    carrier = await bound(scripted_smsc.port)
    link = await scripted_smsc.link(0)

    def unbind_after_the_first(_: Received) -> Reply:
        link.unbind()
        return Reply(delay_s=0.05)

    scripted_smsc.on(SUBMIT_SM, [unbind_after_the_first], link=0)
    outcome = await send(carrier, PHONE, LONG, send_within_s=DEADLINE_S)
    assert (outcome.kind, outcome.carrier_message_ids) == (OutcomeKind.ACCEPTED, ("1", "2"))
    assert [len(link.of(SUBMIT_SM)) for link in scripted_smsc.links] == [1, 1]


async def test_a_stop_ends_the_wait_of_later_parts(scripted_smsc: ScriptedSmsc, bound: Bound, send: Send) -> None:
    scripted_smsc.on(SUBMIT_SM, lambda got: Reply(0x58 if is_later_part(got) else 0))
    carrier = await bound(scripted_smsc.port, throttle_pause_s=60.0, throttle_pause_max_s=60.0)
    submit = asyncio.create_task(send(carrier, PHONE, LONG, send_within_s=60.0))
    await scripted_smsc.until(lambda: len(later_parts(scripted_smsc)) == 1)
    await carrier.stop(timeout_s=0.05)
    outcome = await submit
    assert (outcome.kind, outcome.error_code) == (OutcomeKind.REFUSED, "PARTIALLY_SENT")
