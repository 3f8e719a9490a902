"""Outcomes that come after their submits were called unknown."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from messaging_service.carriers.domain.submission import Outcome, OutcomeKind, ReceiptState
from messaging_service.receipts.late_outcomes import LateSettlement, Verdict
from messaging_service.sending.outbox import Claim
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.states import Billing, State
from tests.contract.sms_examples import PRICE, TWO_UNITS, acceptance, accepted, not_taken, refused, unanswered
from tests.integration.messaging.conftest import (
    MakeOutbox,
    money,
    receipt,
    record,
    sent,
    settle,
    stored,
    transitions,
)
from tests.integration.messaging.receipts.receipts_at_work import bring, opt_out, until_matched_by_address
from tests.system.messaging_database import pass_time, rows
from tests.system.messaging_replica import Replica

pytestmark = pytest.mark.timeout(60)

TOTAL = PRICE.unit_price


async def late(outbox: Replica, message: Message, outcome: Outcome, epoch: int = 1) -> Verdict:
    """What becomes of a late outcome."""
    (verdict,) = await outbox.late.settle_late([LateSettlement(message.id, epoch, outcome, 0.5)])
    return verdict


async def test_a_late_acceptance_is_charged_and_finds_its_receipts(outbox: Replica, database_url: str) -> None:
    message = await sent(outbox, unanswered())
    assert await late(outbox, message, accepted("A1")) is Verdict.RECORDED
    taken = await stored(outbox, message.id)
    assert (taken.state, taken.billing, taken.error_code) == (State.ACCEPTED, Billing.CHARGED, None)
    assert taken.sent_at is not None
    assert await money(outbox) == (-TOTAL, 0)
    assert (await transitions(database_url, message.id))[-1] == (1, "unknown", "accepted")
    assert await rows(database_url, "SELECT 1 FROM dispatch") == []
    await bring(outbox, receipt("A1"))
    assert (await stored(outbox, message.id)).state is State.DELIVERED


async def test_a_late_refusal_is_released(outbox: Replica, database_url: str) -> None:
    message = await sent(outbox, unanswered())
    assert await late(outbox, message, refused("INVALID_RECIPIENT")) is Verdict.RECORDED
    ended = await stored(outbox, message.id)
    assert (ended.state, ended.billing, ended.error_code) == (State.REFUSED, Billing.RELEASED, "INVALID_RECIPIENT")
    assert ended.sent_at is None
    assert await money(outbox) == (0, 0)
    assert (await transitions(database_url, message.id))[-1] == (1, "unknown", "refused")


async def test_what_only_another_carrier_would_take_is_refused(outbox: Replica) -> None:
    message = await sent(outbox, unanswered())
    elsewhere = replace(not_taken("REJECTED_BY_CARRIER"), only_elsewhere=True)
    assert await late(outbox, message, elsewhere) is Verdict.RECORDED
    assert (await stored(outbox, message.id)).state is State.REFUSED


async def test_what_was_not_taken_after_all_is_tried_again(outbox: Replica, database_url: str) -> None:
    message = await sent(outbox, unanswered())
    assert await late(outbox, message, not_taken("CARRIER_THROTTLED")) is Verdict.RECORDED
    waiting = await stored(outbox, message.id)
    assert (waiting.state, waiting.billing, waiting.error_code) == (State.READY, Billing.HELD, "CARRIER_THROTTLED")
    assert await outbox.claim(1) == []
    await pass_time(database_url, 1)
    (claim,) = await outbox.claim(1)
    assert (claim.epoch, claim.tries) == (2, 2)
    await settle(outbox, claim, accepted())
    assert await money(outbox) == (-TOTAL, 0)
    assert [move[1:] for move in await transitions(database_url, message.id)] == [
        (None, "submitting"),
        ("submitting", "unknown"),
        ("unknown", "ready"),
        ("ready", "submitting"),
        ("submitting", "accepted"),
    ]


async def test_an_outcome_counts_once_and_first_come_first_served(outbox: Replica) -> None:
    message = await sent(outbox, unanswered())
    both = [LateSettlement(message.id, 1, outcome, 0.5) for outcome in (accepted("A1"), refused())]
    assert await outbox.late.settle_late(both) == [Verdict.RECORDED, Verdict.OVERTAKEN]
    assert await late(outbox, message, accepted("A1")) is Verdict.OVERTAKEN
    assert await money(outbox) == (-TOTAL, 0)


async def test_an_outcome_of_another_claim_changes_nothing(outbox: Replica, database_url: str) -> None:
    message = await record(outbox, acceptance(claimed=True))
    await settle(outbox, Claim(message, 1, 0, 0.0), not_taken())
    (second,) = await outbox.claim(1)
    await settle(outbox, second, unanswered())
    before = await stored(outbox, message.id)
    assert await late(outbox, message, accepted("A1"), epoch=1) is Verdict.OVERTAKEN
    assert await stored(outbox, message.id) == before
    assert await late(outbox, message, accepted("A1"), epoch=2) is Verdict.RECORDED


async def test_an_outcome_that_overtakes_its_own_record_is_too_early(outbox: Replica) -> None:
    message = await record(outbox, acceptance(claimed=True))
    assert await late(outbox, message, accepted("A1")) is Verdict.TOO_EARLY
    assert (await stored(outbox, message.id)).state is State.SUBMITTING


async def test_what_ended_or_does_not_exist_is_left_alone(outbox: Replica, database_url: str) -> None:
    expired = await sent(outbox, unanswered())
    await pass_time(database_url, 3_601)
    await outbox.sweep()
    unheard_of = acceptance().message_id
    batch = [LateSettlement(id_, 1, accepted("A1"), 0.5) for id_ in (expired.id, unheard_of)]
    assert await outbox.late.settle_late(batch) == [Verdict.OVERTAKEN] * 2
    assert (await stored(outbox, expired.id)).state is State.EXPIRED
    assert await money(outbox) == (0, 0)


async def test_ids_that_come_late_keep_what_receipts_said(outbox: Replica, database_url: str) -> None:
    message = await sent(outbox, unanswered(), message=TWO_UNITS)
    await outbox.receipts.store([receipt("A2")])
    await until_matched_by_address(outbox, database_url)
    assert (await stored(outbox, message.id)).state is State.UNKNOWN
    assert await late(outbox, message, accepted("A1", "A2")) is Verdict.RECORDED
    assert await rows(database_url, "SELECT part, canonical_id, state FROM message_part ORDER BY part") == [
        (1, "a1", "accepted"),
        (2, "a2", "delivered"),
    ]
    await bring(outbox, receipt("A1"))
    assert (await stored(outbox, message.id)).state is State.DELIVERED
    assert await money(outbox) == (Decimal("-1.2"), 0)


async def test_receipts_that_came_first_say_how_it_ended(outbox: Replica, database_url: str) -> None:
    message = await sent(outbox, unanswered(), message=TWO_UNITS)
    await outbox.receipts.store([receipt("A2", ReceiptState.UNDELIVERABLE)])
    await until_matched_by_address(outbox, database_url)
    assert await late(outbox, message, accepted("A1", "A2")) is Verdict.RECORDED
    failed = await stored(outbox, message.id)
    assert (failed.state, failed.error_code, failed.billing) == (State.UNDELIVERED, "NOT_DELIVERED", Billing.CHARGED)
    assert (await transitions(database_url, message.id))[-1] == (1, "unknown", "undelivered")


async def test_a_receipt_that_was_given_up_is_found_again(outbox: Replica, database_url: str) -> None:
    message = await sent(outbox, unanswered())
    await bring(outbox, receipt("A1", recipient=None))
    await rows(database_url, "UPDATE receipt SET next_try_at = NULL")
    await late(outbox, message, accepted("A1"))
    assert (await outbox.receipts.work(10)).matched == 1
    assert (await stored(outbox, message.id)).state is State.DELIVERED


async def test_not_taken_is_not_believed_once_a_receipt_told_of_a_part(outbox: Replica, database_url: str) -> None:
    message = await sent(outbox, unanswered(), message=TWO_UNITS)
    await outbox.receipts.store([receipt("A2")])
    await until_matched_by_address(outbox, database_url)
    assert await late(outbox, message, not_taken()) is Verdict.OVERTAKEN
    assert (await stored(outbox, message.id)).state is State.UNKNOWN


async def test_late_outcomes_receipts_and_the_end_of_the_window_at_once_decide_one_way(
    make_outbox: MakeOutbox, database_url: str
) -> None:
    one, two = await make_outbox("one"), await make_outbox("two")
    messages = [await sent(one, unanswered(f"A{n}"), user_id=f"user{n % 3}") for n in range(36)]
    await pass_time(database_url, 3_601)
    await one.receipts.store([receipt(f"A{n}") for n in range(36)])
    kinds = [OutcomeKind.ACCEPTED, OutcomeKind.REFUSED, OutcomeKind.NOT_TAKEN]
    batches = [
        [LateSettlement(m.id, 1, Outcome(kinds[n % 3], "smpp", (f"A{n}",) if n % 3 == 0 else ()), 0.5)]
        for n, m in enumerate(messages)
    ]
    await asyncio.gather(
        *((one, two)[n % 2].late.settle_late(batch) for n, batch in enumerate(batches)),
        *(one.receipts.work(5) for _ in range(8)),
        two.sweep(),
    )
    owed = dict.fromkeys(("user0", "user1", "user2"), Decimal(0))
    held = dict(owed)
    for message in [await stored(one, message.id) for message in messages]:
        assert message.state in {State.ACCEPTED, State.DELIVERED, State.REFUSED, State.EXPIRED, State.READY}
        owed[message.account_id] -= TOTAL if message.billing is Billing.CHARGED else 0
        held[message.account_id] += TOTAL if message.billing is Billing.HELD else 0
    for account in owed:
        assert await money(one, account) == (owed[account], held[account])


async def test_what_was_not_taken_is_not_sent_again_to_a_phone_that_opted_out(
    outbox: Replica, database_url: str
) -> None:
    message = await sent(outbox, unanswered())
    await opt_out(database_url)
    assert await late(outbox, message, not_taken()) is Verdict.OVERTAKEN
    assert (await stored(outbox, message.id)).state is State.UNKNOWN
