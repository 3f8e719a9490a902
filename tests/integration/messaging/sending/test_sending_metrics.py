"""Figures of sends, of money, of the queue, of receipts and of carriers move as sends do."""

from __future__ import annotations

import pytest

from messaging_service.carriers.domain.submission import (
    DeliveryReceipt,
    LateOutcome,
    Outcome,
    OutcomeKind,
    ReceiptState,
    Submission,
)
from tests.contract.sms_examples import RECIPIENT, accepted, not_taken, refused, unanswered
from tests.integration.messaging.metered_service import Metered
from tests.integration.messaging.running_service import message
from tests.system.messaging_database import rows
from tests.system.privacy import OTP, leaks
from tukupay.sms.messaging.v1 import accounts_pb2, events_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)

UNIT = 600_000
OUTCOMES = "tukupay_outcomes_total"


def by_text(submission: Submission) -> Outcome:
    """The outcome that the text asks for."""
    text = submission.segmentation.segments[0]
    if "refuse" in text:
        return refused()
    if "odd" in text:
        return refused("CARRIER_SAYS_4711")
    if "silent" in text:
        return unanswered()
    return accepted()


def delivered(submission: Submission, carrier_message_id: str) -> DeliveryReceipt:
    return DeliveryReceipt(
        "smpp", carrier_message_id, ReceiptState.DELIVERED, submission.recipient, "TUKUPAY", None, None, "id:… stat:…"
    )


async def test_outcomes_are_counted_by_kind_carrier_and_code(metered: Metered) -> None:
    metered.service.carrier.answer = by_text
    await metered.service.batch([message(), message(), message(message="refuse"), message(message="silent")])
    await metered.service.send(message="odd")
    figures = await metered.figures()
    assert figures(OUTCOMES, kind="accepted", carrier="smpp", code="none") == 2
    assert figures(OUTCOMES, kind="refused", carrier="smpp", code="INVALID_RECIPIENT") == 1
    assert figures(OUTCOMES, kind="unknown", carrier="smpp", code="CARRIER_NO_ANSWER") == 1
    # A code that only the carrier knows is no label.
    assert figures(OUTCOMES, kind="refused", code="other") == 1
    assert "4711" not in figures.text


async def test_the_money_of_sends_is_counted_as_it_is_charged_or_released(metered: Metered) -> None:
    metered.service.carrier.answer = by_text
    await metered.service.batch([message(), message(message="x" * 200), message(message="refuse")])
    figures = await metered.figures()
    assert figures("tukupay_settled_micros_total", by="attempt", billing="charged") == 3 * UNIT
    assert figures("tukupay_settled_micros_total", by="attempt", billing="released") == UNIT
    assert await metered.service.money() == (-3 * UNIT, 0)


async def test_flushes_are_measured(metered: Metered) -> None:
    await metered.service.batch([message() for _ in range(8)])
    figures = await metered.figures()
    for flush in ("acceptance", "settlement", "prices"):
        assert figures("tukupay_flush_items_sum", flush=flush) == 8
        flushes = figures("tukupay_flush_items_count", flush=flush)
        assert 1 <= flushes <= 8
        assert figures("tukupay_flush_seconds_count", flush=flush) == flushes
        assert figures("tukupay_flush_wait_seconds_count", flush=flush) == flushes
        assert figures("tukupay_flush_seconds_sum", flush=flush) > 0
        assert figures("tukupay_flush_waiting", flush=flush) == 0
    assert 64 <= figures("tukupay_flush_limit_items", flush="acceptance") <= 256


async def test_a_message_that_waits_for_its_next_try_is_claimed_and_sent(metered: Metered) -> None:
    answers = [not_taken("CARRIER_THROTTLED"), accepted()]
    metered.service.carrier.answer = lambda _: answers.pop(0)
    assert (await metered.service.send()).entry.status == pb.SMS_STATUS_SENT
    figures = await metered.figures()
    assert figures(OUTCOMES, kind="not_taken", code="CARRIER_THROTTLED") == 1
    assert figures(OUTCOMES, kind="accepted") == 1
    assert figures("tukupay_claims_total") == 1
    assert figures("tukupay_claim_looks_total") >= 1


async def test_what_a_dead_process_left_is_counted_when_it_is_swept(metered: Metered, database_url: str) -> None:
    metered.service.carrier.answer = lambda _: Outcome(OutcomeKind.UNKNOWN, "smpp", (), "CARRIER_NO_ANSWER")
    await metered.service.send()
    await rows(database_url, "UPDATE dispatch SET due_at = now() - interval '1 s' WHERE state = 'unknown'")
    await metered.until(lambda figures: figures("tukupay_swept_total", to="expired") == 1)


async def test_receipts_are_counted_when_they_are_stored_and_when_they_match(metered: Metered) -> None:
    metered.service.carrier.answer = lambda _: accepted("C1")
    await metered.service.send()
    (submission,) = metered.service.carrier.submissions
    sink = metered.service.sinks[0].receipts
    await sink([delivered(submission, "C1"), delivered(submission, "stranger")])
    figures = await metered.until(lambda figures: figures("tukupay_receipts_looked_at_total") >= 2)
    assert figures("tukupay_receipts_stored_total", carrier="smpp", state="delivered") == 2
    assert figures("tukupay_receipts_matched_total") == 1


async def test_money_that_a_receipt_settles_is_counted_as_such(metered: Metered) -> None:
    metered.service.carrier.answer = lambda _: unanswered("C9")
    await metered.service.send()
    assert await metered.service.money() == (0, UNIT)
    (submission,) = metered.service.carrier.submissions
    await metered.service.sinks[0].receipts([delivered(submission, "C9")])
    settled = "tukupay_settled_micros_total"
    await metered.until(lambda figures: figures(settled, by="receipt", billing="charged") == UNIT)
    assert await metered.service.money() == (-UNIT, 0)
    assert (await metered.figures())(settled, by="attempt") == 0


async def test_an_answer_that_comes_late_is_counted(metered: Metered) -> None:
    metered.service.carrier.answer = lambda _: unanswered()
    await metered.service.send()
    (submission,) = metered.service.carrier.submissions
    late = LateOutcome(submission.message_id, submission.epoch, accepted("C10"))
    await metered.service.sinks[0].late_outcomes([late])
    await metered.service.sinks[0].late_outcomes([late])
    figures = await metered.figures()
    assert figures("tukupay_late_outcomes_total", result="recorded") == 1
    assert figures("tukupay_late_outcomes_total", result="overtaken") == 1


async def test_carriers_show_whether_they_are_up_and_how_full(metered: Metered) -> None:
    figures = await metered.figures()
    assert figures("tukupay_carrier_up", carrier="smpp") == 1
    assert figures("tukupay_carrier_window", carrier="smpp") == 10
    assert figures("tukupay_carrier_breaker_open", carrier="smpp") == 0
    assert figures("tukupay_carrier_mode", carrier="smpp", mode="running") == 1
    assert figures("tukupay_carrier_mode", carrier="smpp", mode="paused") == 0
    metered.service.carrier.go_down()
    assert (await metered.figures())("tukupay_carrier_up", carrier="smpp") == 0


async def test_open_watches_are_shown(metered: Metered) -> None:
    assert (await metered.figures())("tukupay_outbox_watches") == 0
    watch = metered.service.events.WatchOutbox(events_pb2.WatchOutboxRequest(user_id="user123"))
    await watch.read()
    assert (await metered.figures())("tukupay_outbox_watches") == 1
    watch.cancel()
    await metered.until(lambda figures: figures("tukupay_outbox_watches") == 0)


async def test_the_queue_is_counted_from_the_start(metered: Metered) -> None:
    figures = await metered.until(lambda figures: figures("tukupay_queue_look_age_seconds") < 60)
    queued = [sample.labels for sample in figures.families["tukupay_queue_messages"].samples]
    assert len(queued) == 2 * 4
    assert figures("tukupay_queue_messages", lane="normal", state="due") == 0
    assert figures("tukupay_queue_oldest_due_seconds", lane="high") == 0
    assert figures("tukupay_receipts_waiting") == 0
    assert figures("tukupay_duty_failures_total", duty="queue_look") == 0


async def test_no_text_phone_or_account_is_ever_exported(metered: Metered) -> None:
    metered.service.carrier.answer = by_text
    private = f"Your OTP is {OTP}."
    await metered.service.batch(
        [
            message(message=text, user_id="canary-account", sender_id="CANARYBANK", message_id=f"canary-{number}")
            for number, text in enumerate((private, f"refuse {private}", f"silent {private}"))
        ]
    )
    await metered.service.accounts.GetAccount(accounts_pb2.GetAccountRequest(user_id="canary-account"))
    text = (await metered.figures()).text
    assert leaks(text) == []
    for canary in ("canary", "CANARYBANK", RECIPIENT.removeprefix("+"), OTP):
        assert canary not in text
