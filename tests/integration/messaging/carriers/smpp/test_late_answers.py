"""An answer after the time-out still tells what became of the message."""

from __future__ import annotations

import asyncio

import pytest

from messaging_service.carriers.domain.submission import LateOutcome, Outcome, OutcomeKind
from messaging_service.carriers.smpp.binds.outstanding import Answered, Asked
from messaging_service.carriers.smpp.codec.pdu import (
    ENQUIRE_LINK,
    ENQUIRE_LINK_RESP,
    GENERIC_NACK,
    SUBMIT_SM,
    SUBMIT_SM_RESP,
    bare,
    message_id_answer,
)
from messaging_service.carriers.smpp.submit_outcomes import late_outcome
from tests.integration.messaging.carriers.smpp.conftest import Bound, Inbox, Send, SilentServer, SilentSmsc, until

PHONE = "+254712345678"
THREE_PARTS = "a" * 400
ACCEPTED = "ESME_ROK (0x00000000)"


async def asked_and_given_up(link: SilentSmsc, submit: asyncio.Task[Outcome], taken: int = 0) -> int:
    """Answers so many parts, lets the next one run out of time, and gives its sequence number."""
    link.answers_enquiries = True
    for number in range(1, taken + 1):
        link.send(message_id_answer(SUBMIT_SM_RESP, (await link.receive(SUBMIT_SM)).sequence, f"id-{number}"))
    sequence = (await link.receive(SUBMIT_SM)).sequence
    assert (await submit).kind is OutcomeKind.UNKNOWN
    return sequence


@pytest.mark.parametrize(
    ("text", "taken", "outcome"),
    [
        ("Hello", 0, Outcome(OutcomeKind.ACCEPTED, "test", ("late",), None, ACCEPTED)),
        (THREE_PARTS, 2, Outcome(OutcomeKind.ACCEPTED, "test", ("id-1", "id-2", "late"), None, ACCEPTED)),
        (
            THREE_PARTS,
            1,
            Outcome(
                OutcomeKind.REFUSED,
                "test",
                ("id-1", "late"),
                "PARTIALLY_SENT",
                f"{ACCEPTED}, too late for the 1 parts after it",
            ),
        ),
    ],
    ids=["only part", "last part", "part between"],
)
async def test_a_late_acceptance_is_handed_over(
    silent_server: SilentServer, bound: Bound, send: Send, inbox: Inbox, *, text: str, taken: int, outcome: Outcome
) -> None:
    carrier = await bound(silent_server.port, response_timeout_s=0.3)
    link = silent_server.links[0]
    submit = asyncio.create_task(send(carrier, PHONE, text))
    sequence = await asked_and_given_up(link, submit, taken)
    link.send(message_id_answer(SUBMIT_SM_RESP, sequence, "late"))
    await inbox.wait_for(lambda: len(inbox.late) == 1)
    assert inbox.late == [LateOutcome("outbox_1", 1, outcome)]
    assert carrier.free_slots == 10


@pytest.mark.parametrize("command", [SUBMIT_SM_RESP, GENERIC_NACK])
async def test_a_late_refusal_is_handed_over(
    silent_server: SilentServer, bound: Bound, send: Send, inbox: Inbox, command: int
) -> None:
    carrier = await bound(silent_server.port, response_timeout_s=0.3)
    link = silent_server.links[0]
    sequence = await asked_and_given_up(link, asyncio.create_task(send(carrier, PHONE)))
    link.send(bare(command, sequence, 0x0B))
    await inbox.wait_for(lambda: len(inbox.late) == 1)
    (late,) = inbox.late
    assert (late.outcome.kind, late.outcome.error_code) == (OutcomeKind.REFUSED, "INVALID_RECIPIENT")


async def test_a_late_answer_that_comes_twice_is_handed_over_once(
    silent_server: SilentServer, bound: Bound, send: Send, inbox: Inbox
) -> None:
    carrier = await bound(silent_server.port, response_timeout_s=0.3)
    link = silent_server.links[0]
    sequence = await asked_and_given_up(link, asyncio.create_task(send(carrier, PHONE)))
    for _ in range(2):
        link.send(message_id_answer(SUBMIT_SM_RESP, sequence, "late"))
    link.send(bare(ENQUIRE_LINK, 1))
    await link.receive(ENQUIRE_LINK_RESP)
    await inbox.wait_for(lambda: len(inbox.late) == 1)
    await carrier.stop(0.1)
    assert len(inbox.late) == 1


async def test_no_more_late_answers_are_remembered_than_two_windows(
    silent_server: SilentServer, bound: Bound, send: Send, inbox: Inbox
) -> None:
    carrier = await bound(silent_server.port, window=2, response_timeout_s=0.1)
    link = silent_server.links[0]
    link.answers_enquiries = True
    submits = [asyncio.create_task(send(carrier, PHONE, f"message {n}")) for n in range(6)]
    sequences = [(await link.receive(SUBMIT_SM)).sequence for _ in submits]
    assert {(await submit).kind for submit in submits} == {OutcomeKind.UNKNOWN}
    for sequence in sequences:
        link.send(message_id_answer(SUBMIT_SM_RESP, sequence, f"id-{sequence}"))
    await inbox.wait_for(lambda: len(inbox.late) == 4)
    await carrier.stop(0.1)
    assert [late.outcome.carrier_message_ids for late in inbox.late] == [(f"id-{n}",) for n in sequences[2:]]


def test_a_late_acceptance_of_a_text_that_the_carrier_cuts_stands_for_all_of_its_parts() -> None:
    outcome = late_outcome("test", Asked("outbox_1", 1, (), 0, segments=3), Answered(0, "7"))
    assert outcome.carrier_message_ids == ("7", "7", "7")


@pytest.mark.parametrize(
    ("taken", "kind", "code"),
    [((), OutcomeKind.NOT_TAKEN, "CARRIER_THROTTLED"), (("1",), OutcomeKind.REFUSED, "PARTIALLY_SENT")],
)
def test_a_late_not_now_is_safe_to_repeat_only_when_nothing_was_taken(
    taken: tuple[str, ...], kind: OutcomeKind, code: str
) -> None:
    outcome = late_outcome("test", Asked("outbox_1", 1, taken, 0), Answered(0x58, ""))
    assert (outcome.kind, outcome.error_code, outcome.carrier_message_ids) == (kind, code, taken)


async def test_a_throttling_answer_that_comes_late_slows_the_bind(
    silent_server: SilentServer, bound: Bound, send: Send, inbox: Inbox
) -> None:
    carrier = await bound(silent_server.port, response_timeout_s=0.3, window=10, throttle_pause_s=0.01)
    link = silent_server.links[0]
    sequence = await asked_and_given_up(link, asyncio.create_task(send(carrier, PHONE)))
    link.send(bare(SUBMIT_SM_RESP, sequence, 0x58))
    await inbox.wait_for(lambda: len(inbox.late) == 1)
    assert inbox.late[0].outcome.kind is OutcomeKind.NOT_TAKEN
    await until(carrier, lambda: carrier.free_slots == 5)
    assert [bind.is_throttled for bind in carrier.status().binds] == [True]
