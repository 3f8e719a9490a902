"""Submits over a real link, and what comes of them."""

from __future__ import annotations

import asyncio

import pytest

from messaging_service.carriers.carrier import Carrier
from messaging_service.carriers.domain.submission import Outcome, OutcomeKind, Submission
from messaging_service.carriers.smpp.smpp_carrier import SmppCarrier
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from messaging_service.texts.segmentation import segment
from sandbox_carriers.smpp import SandboxCarrier
from tests.integration.messaging.carriers.smpp.conftest import Bound, Inbox, Reserve, Send

PHONE = "+254712345678"
REFUSING = "+254700000001"
REJECTING = "+254700000002"
THROTTLING = "+254700000003"
QUEUE_FULL = "+254700000004"
BUSY = "+254700000005"
SILENT = "+254700000006"
SLOW = "+254700000011"


def test_a_carrier_is_not_up_before_it_is_started(inbox: Inbox) -> None:
    carrier: Carrier = SmppCarrier(SmppSettings("127.0.0.1", 1, "a", "b"), inbox.sinks)
    assert not carrier.is_up
    assert carrier.try_reserve() is None


async def test_an_accepted_message_is_on_the_phone_and_has_the_carriers_id(
    sandbox: SandboxCarrier, bound: Bound, send: Send
) -> None:
    carrier = await bound()
    outcome = await send(carrier, PHONE, "Your OTP is 123456.")
    (message,) = sandbox.messages
    assert outcome == Outcome(OutcomeKind.ACCEPTED, "test", tuple(message.message_ids), None, "ESME_ROK (0x00000000)")
    assert (message.recipient, message.sender, message.text) == (
        "254712345678",
        "TUKUPAY",
        "Your OTP is 123456.",
    )


@pytest.mark.parametrize(
    ("recipient", "code", "raw"),
    [
        (REFUSING, "INVALID_RECIPIENT", "ESME_RINVDSTADR (0x0000000B)"),
        (REJECTING, "REJECTED_BY_CARRIER", "ESME_RSUBMITFAIL (0x00000045)"),
    ],
)
async def test_a_refusal_is_final_and_carries_the_carriers_words(
    bound: Bound, send: Send, recipient: str, code: str, raw: str
) -> None:
    outcome = await send(await bound(), recipient)
    assert outcome == Outcome(OutcomeKind.REFUSED, "test", (), code, raw)


async def test_a_busy_carrier_did_not_take_the_message(bound: Bound, send: Send) -> None:
    outcome = await send(await bound(), BUSY)
    assert (outcome.kind, outcome.error_code) == (OutcomeKind.NOT_TAKEN, "CARRIER_BUSY")


@pytest.mark.parametrize("recipient", [THROTTLING, QUEUE_FULL])
async def test_a_throttled_bind_pauses_and_comes_back(
    sandbox: SandboxCarrier, bound: Bound, send: Send, recipient: str
) -> None:
    carrier = await bound(window=8)
    for _ in range(3):
        outcome = await send(carrier, recipient)
        assert (outcome.kind, outcome.error_code) == (OutcomeKind.NOT_TAKEN, "CARRIER_THROTTLED")
        assert carrier.free_slots == 0
        assert carrier.is_up
        assert [bind.is_throttled for bind in carrier.status().binds] == [True]
    assert (await send(carrier, recipient)).kind is OutcomeKind.ACCEPTED
    assert 1 <= carrier.free_slots < 8
    while carrier.free_slots < 8:
        await asyncio.gather(*(send(carrier, PHONE) for _ in range(20)))
    assert [bind.is_throttled for bind in carrier.status().binds] == [False]
    assert sandbox.stats()["throttled"] == 3


async def test_silence_is_unknown_after_the_response_time_out_and_frees_the_place(
    sandbox: SandboxCarrier, bound: Bound, send: Send
) -> None:
    carrier = await bound(response_timeout_s=0.1, window=1)
    outcome = await send(carrier, SILENT)
    assert outcome == Outcome(OutcomeKind.UNKNOWN, "test", (), "CARRIER_NO_ANSWER", "no answer in time")
    assert carrier.free_slots == 1
    assert (await send(carrier, PHONE)).kind is OutcomeKind.ACCEPTED
    assert sandbox.stats()["unanswered"] == 1


async def test_an_answer_after_the_time_out_changes_nothing(sandbox: SandboxCarrier, bound: Bound, send: Send) -> None:
    carrier = await bound(response_timeout_s=0.05)
    assert (await send(carrier, SLOW)).kind is OutcomeKind.UNKNOWN
    await sandbox.wait_for(lambda: sandbox.stats()["outstanding"] == 0)
    assert (await send(carrier, PHONE)).kind is OutcomeKind.ACCEPTED
    assert carrier.free_slots == 10


async def test_the_window_is_filled_and_never_exceeded(sandbox: SandboxCarrier, bound: Bound, send: Send) -> None:
    carrier = await bound(window=7)
    outcomes = await asyncio.gather(*(send(carrier, SLOW, f"message {n}") for n in range(21)))
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.ACCEPTED}
    assert sandbox.stats()["maxOutstanding"] == 7
    assert sandbox.stats()["unique"] == 21


async def test_reservations_count_against_the_window_until_they_are_released(bound: Bound) -> None:
    carrier = await bound(window=2)
    first, second = carrier.try_reserve(), carrier.try_reserve()
    assert first is not None
    assert second is not None
    assert carrier.try_reserve() is None
    first.release()
    first.release()
    assert carrier.free_slots == 1


async def test_a_slot_serves_one_submit(bound: Bound, reserve: Reserve) -> None:
    carrier = await bound()
    slot = await reserve(carrier)
    submission = Submission("outbox_1", "TUKUPAY", PHONE, segment("Hello"), epoch=1)
    await carrier.submit(slot, submission)
    slot.release()
    with pytest.raises(ValueError, match="one submit"):
        await carrier.submit(slot, submission)
    assert carrier.free_slots == 10


async def test_two_binds_share_the_work(sandbox: SandboxCarrier, bound: Bound, send: Send) -> None:
    carrier = await bound(binds=2, window=3)
    await sandbox.wait_for(lambda: sandbox.stats()["binds"] == 2)
    outcomes = await asyncio.gather(*(send(carrier, SLOW, f"message {n}") for n in range(12)))
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.ACCEPTED}
    assert sandbox.stats()["maxOutstanding"] == 3
    assert carrier.free_slots == 6


async def test_a_cancelled_caller_frees_its_place_only_when_the_answer_came(
    sandbox: SandboxCarrier, bound: Bound, reserve: Reserve
) -> None:
    carrier = await bound(window=1)
    slot = await reserve(carrier)
    task = asyncio.create_task(carrier.submit(slot, Submission("outbox_1", "TUKUPAY", SLOW, segment("Hello"), epoch=1)))
    await sandbox.wait_for(lambda: sandbox.stats()["outstanding"] == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert carrier.free_slots == 0
    await reserve(carrier)
    assert sandbox.stats()["outstanding"] == 0


@pytest.mark.parametrize(
    "wrong",
    [("É", PHONE, "INVALID_SENDER"), ("TUKUPAY", "0712345678", "INVALID_RECIPIENT")],
)
async def test_what_no_address_can_hold_is_refused_without_sending(
    sandbox: SandboxCarrier, bound: Bound, send: Send, wrong: tuple[str, str, str]
) -> None:
    sender_id, recipient, code = wrong
    carrier = await bound()
    outcome = await send(carrier, recipient, sender_id=sender_id)
    assert (outcome.kind, outcome.error_code) == (OutcomeKind.REFUSED, code)
    assert sandbox.stats()["submits"] == 0
    assert carrier.free_slots == 10


@pytest.mark.parametrize("text", ["a" * 161, "€" * 100 + "z" * 300, "ж" * 71, "66" + "😀" * 70, "x" * 1530])
async def test_a_long_text_arrives_whole(sandbox: SandboxCarrier, bound: Bound, send: Send, text: str) -> None:
    carrier = await bound()
    outcome = await send(carrier, PHONE, text)
    (message,) = sandbox.messages
    assert message.is_whole
    assert message.text == text
    assert outcome.carrier_message_ids == tuple(message.message_ids)
    assert len(outcome.carrier_message_ids) == segment(text).units > 1
    assert carrier.free_slots == 10


async def test_long_texts_sent_at_once_to_one_phone_do_not_mix(
    sandbox: SandboxCarrier, bound: Bound, send: Send
) -> None:
    carrier = await bound()
    texts = {f"{n:03d}" * 80 for n in range(40)}
    await asyncio.gather(*(send(carrier, PHONE, text) for text in texts))
    assert {message.text for message in sandbox.messages} == texts


async def test_the_refusal_of_the_first_part_stops_the_rest(sandbox: SandboxCarrier, bound: Bound, send: Send) -> None:
    outcome = await send(await bound(), REFUSING, "a" * 400)
    assert (outcome.kind, outcome.error_code) == (OutcomeKind.REFUSED, "INVALID_RECIPIENT")
    assert sandbox.stats()["submits"] == 1


async def test_a_later_part_that_is_refused_makes_the_message_partially_sent(
    sandbox: SandboxCarrier, bound: Bound, send: Send
) -> None:
    outcome = await send(await bound(), PHONE, "a" * 200 + "[sandbox:refuse]")
    assert (outcome.kind, outcome.error_code) == (OutcomeKind.REFUSED, "PARTIALLY_SENT")
    assert outcome.raw == "ESME_RINVDSTADR (0x0000000B)"
    assert len(outcome.carrier_message_ids) == 1


async def test_a_later_part_that_is_throttled_is_tried_again_until_it_is_taken(
    sandbox: SandboxCarrier, bound: Bound, send: Send
) -> None:
    outcome = await send(await bound(), PHONE, "a" * 200 + "[sandbox:throttle]")
    assert outcome.kind is OutcomeKind.ACCEPTED
    assert len(outcome.carrier_message_ids) == 2
    assert sandbox.messages[0].text.endswith("[sandbox:throttle]")


async def test_a_later_part_that_is_never_taken_ends_partially_sent(bound: Bound, send: Send) -> None:
    carrier = await bound(response_timeout_s=0.3)
    outcome = await send(carrier, PHONE, "a" * 200 + "[sandbox:busy]")
    assert (outcome.kind, outcome.error_code) == (OutcomeKind.REFUSED, "PARTIALLY_SENT")


async def test_a_later_part_without_an_answer_makes_the_message_unknown(bound: Bound, send: Send) -> None:
    carrier = await bound(response_timeout_s=0.1)
    outcome = await send(carrier, PHONE, "a" * 200 + "[sandbox:silent]")
    assert (outcome.kind, outcome.error_code) == (OutcomeKind.UNKNOWN, "CARRIER_NO_ANSWER")
    assert len(outcome.carrier_message_ids) == 1
    assert carrier.free_slots == 10


async def test_stopping_waits_for_answers_and_gives_out_no_more_slots(
    sandbox: SandboxCarrier, bound: Bound, send: Send
) -> None:
    carrier = await bound()
    submit = asyncio.create_task(send(carrier, SLOW))
    await sandbox.wait_for(lambda: sandbox.stats()["outstanding"] == 1)
    stop = asyncio.create_task(carrier.stop())
    await asyncio.sleep(0)
    assert carrier.try_reserve() is None
    assert not carrier.is_up
    await stop
    assert (await submit).kind is OutcomeKind.ACCEPTED
    await sandbox.wait_for(lambda: not sandbox.links)
