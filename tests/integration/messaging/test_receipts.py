"""Delivery receipts: kept, matched in either order, and forward only."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest

from messaging_service.adapters.postgres.outbox import PostgresOutbox
from messaging_service.domain.message import Message
from messaging_service.domain.states import Billing, State
from messaging_service.domain.submission import DeliveryReceipt, ReceiptState
from messaging_service.use_cases.outbox import Claim
from messaging_service.use_cases.receipt_inbox import Worked
from tests.contract.messaging_database import pass_time, rows
from tests.contract.sms_examples import PRICE, RECIPIENT, TWO_UNITS, acceptance, accepted, refused, unanswered
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

pytestmark = pytest.mark.timeout(60)

WAITS_FOR_A_LOCK = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
D, U, E = ReceiptState.DELIVERED, ReceiptState.UNDELIVERABLE, ReceiptState.ENROUTE


async def bring(outbox: PostgresOutbox, *receipts: DeliveryReceipt) -> Worked:
    """Stores receipts and works the inbox."""
    await outbox.store(receipts)
    return await outbox.work(500)


async def state_of(outbox: PostgresOutbox, message: Message) -> State:
    return (await stored(outbox, message.id)).state


async def waiting(url: str) -> int:
    return int((await rows(url, "SELECT count(*) FROM receipt WHERE next_try_at IS NOT NULL"))[0][0])


async def unknown(outbox: PostgresOutbox, url: str, text: str = "Habari", recipient: str = RECIPIENT) -> Message:
    """A message whose process died after the submit."""
    message = await record(outbox, acceptance(claimed=True, message=text, recipient_phone_number=recipient))
    await pass_time(url, 31)
    await outbox.sweep()
    return await stored(outbox, message.id)


async def until_matched_by_address(outbox: PostgresOutbox, url: str) -> None:
    """Lets the receipts in the inbox wait as long as they do before they are matched to an open outcome."""
    for _ in range(3):
        await outbox.work(500)
        await pass_time(url, 5)
    await outbox.work(500)


# By the carrier's id.


async def test_a_delivered_receipt_delivers_the_message(outbox: PostgresOutbox, database_url: str) -> None:
    message = await sent(outbox, accepted("A1"))
    assert await bring(outbox, receipt("A1")) == Worked(looked_at=1, matched=1)
    delivered = await stored(outbox, message.id)
    assert (delivered.state, delivered.billing, delivered.error_code) == (State.DELIVERED, Billing.CHARGED, None)
    assert delivered.delivered_at is not None
    assert delivered.sent_at == message.sent_at
    assert (await transitions(database_url, message.id))[-1] == (1, "accepted", "delivered")
    assert await money(outbox) == (-PRICE.unit_price, 0)
    assert await waiting(database_url) == 0


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (ReceiptState.UNDELIVERABLE, "NOT_DELIVERED"),
        (ReceiptState.EXPIRED, "DELIVERY_EXPIRED"),
        (ReceiptState.DELETED, "REJECTED_AFTER_ACCEPTANCE"),
        (ReceiptState.REJECTED, "REJECTED_AFTER_ACCEPTANCE"),
    ],
)
async def test_a_bad_receipt_fails_the_message_with_its_reason_and_keeps_the_charge(
    outbox: PostgresOutbox, state: ReceiptState, code: str
) -> None:
    message = await sent(outbox, accepted("A1"))
    await bring(outbox, receipt("A1", state))
    failed = await stored(outbox, message.id)
    assert (failed.state, failed.error_code, failed.billing) == (State.UNDELIVERED, code, Billing.CHARGED)
    assert failed.delivered_at is None
    assert await money(outbox) == (-PRICE.unit_price, 0)


@pytest.mark.parametrize("state", [ReceiptState.ENROUTE, ReceiptState.ACCEPTED, ReceiptState.UNKNOWN])
async def test_a_receipt_on_the_way_changes_nothing(
    outbox: PostgresOutbox, database_url: str, state: ReceiptState
) -> None:
    message = await sent(outbox, accepted("A1"))
    assert (await bring(outbox, receipt("A1", state))).matched == 1
    assert await stored(outbox, message.id) == message
    assert await waiting(database_url) == 0
    await bring(outbox, receipt("A1"))
    assert await state_of(outbox, message) is State.DELIVERED


@pytest.mark.parametrize("reported", ["1af", "1AF", "0001aF", "00000000000000000000000000000001af"])
@pytest.mark.parametrize("answered", ["1AF", "001af"])
async def test_spellings_of_an_id_are_equal(outbox: PostgresOutbox, answered: str, reported: str) -> None:
    message = await sent(outbox, accepted(answered))
    await bring(outbox, receipt(reported))
    assert await state_of(outbox, message) is State.DELIVERED


async def test_an_id_belongs_to_its_carrier(outbox: PostgresOutbox) -> None:
    message = await sent(outbox, accepted("A1"))
    assert (await bring(outbox, receipt("A1", carrier="other"))).matched == 0
    assert await state_of(outbox, message) is State.ACCEPTED


async def test_a_receipt_that_overtakes_the_answer_waits_for_it(outbox: PostgresOutbox, database_url: str) -> None:
    message = await record(outbox, acceptance(claimed=True))
    assert await bring(outbox, receipt("A1")) == Worked(looked_at=1, matched=0)
    assert await outbox.work(500) == Worked(looked_at=0, matched=0)
    await settle(outbox, Claim(message, 1, 0, 0.0), accepted("A1"))
    await pass_time(database_url, 1.1)
    assert await outbox.work(500) == Worked(looked_at=1, matched=1)
    assert await state_of(outbox, message) is State.DELIVERED


async def test_receipts_that_come_again_change_nothing(outbox: PostgresOutbox, database_url: str) -> None:
    message = await sent(outbox, accepted("A1"))
    await bring(outbox, receipt("A1"), receipt("A1"))
    delivered = await stored(outbox, message.id)
    events = await transitions(database_url, message.id)
    assert (await bring(outbox, receipt("A1"), receipt("A1"), receipt("A1"))).matched == 3
    assert await stored(outbox, message.id) == delivered
    assert await transitions(database_url, message.id) == events
    assert await money(outbox) == (-PRICE.unit_price, 0)


@pytest.mark.parametrize(
    ("reports", "state"),
    [
        ([D, E], State.DELIVERED),
        ([D, U], State.DELIVERED),
        ([U, D], State.UNDELIVERED),
        ([E, U, E, D], State.UNDELIVERED),
    ],
)
@pytest.mark.parametrize("together", [True, False], ids=["in one pass", "one by one"])
async def test_states_move_forward_only(
    outbox: PostgresOutbox, reports: list[ReceiptState], state: State, together: bool
) -> None:
    message = await sent(outbox, accepted("A1"))
    receipts = [receipt("A1", report) for report in reports]
    if together:
        await bring(outbox, *receipts)
    else:
        for single in receipts:
            await bring(outbox, single)
    assert await state_of(outbox, message) is state


async def test_a_message_is_delivered_when_all_its_parts_are(outbox: PostgresOutbox, database_url: str) -> None:
    message = await sent(outbox, accepted("A1", "A2"), message=TWO_UNITS)
    await bring(outbox, receipt("A2"))
    assert await state_of(outbox, message) is State.ACCEPTED
    await bring(outbox, receipt("A2"))
    assert await state_of(outbox, message) is State.ACCEPTED
    await bring(outbox, receipt("A1"))
    assert await state_of(outbox, message) is State.DELIVERED
    assert await transitions(database_url, message.id) == [
        (1, None, "submitting"),
        (1, "submitting", "accepted"),
        (1, "accepted", "delivered"),
    ]


async def test_one_failed_part_fails_the_message(outbox: PostgresOutbox) -> None:
    message = await sent(outbox, accepted("A1", "A2"), message=TWO_UNITS)
    await bring(outbox, receipt("A1"), receipt("A2", U))
    assert await state_of(outbox, message) is State.UNDELIVERED


async def test_many_receipts_are_worked_in_bounded_passes(outbox: PostgresOutbox) -> None:
    messages = [await sent(outbox, accepted(f"A{n}")) for n in range(1, 8)]
    await outbox.store([receipt(f"A{n}") for n in range(1, 8)])
    assert [(await outbox.work(3)).matched for _ in range(4)] == [3, 3, 1, 0]
    assert {await state_of(outbox, message) for message in messages} == {State.DELIVERED}


async def test_an_id_that_the_carrier_uses_again_means_the_newest_message(outbox: PostgresOutbox) -> None:
    old = await sent(outbox, accepted("A1"))
    new = await sent(outbox, accepted("A1"))
    await bring(outbox, receipt("A1"))
    assert (await state_of(outbox, old), await state_of(outbox, new)) == (State.ACCEPTED, State.DELIVERED)


# Unknown ids.


async def test_a_receipt_for_an_unknown_id_waits_and_is_given_up_but_kept(
    outbox: PostgresOutbox, database_url: str
) -> None:
    await bring(outbox, receipt("F00D"))
    (first,) = await rows(database_url, "SELECT tries, extract(epoch FROM next_try_at - now())::float8 FROM receipt")
    assert first[0] == 1
    assert first[1] == pytest.approx(1, abs=0.9)
    waits = []
    while await waiting(database_url):
        (due,) = await rows(database_url, "SELECT extract(epoch FROM next_try_at - now())::float8 + 1 FROM receipt")
        waits.append(due[0])
        await pass_time(database_url, due[0])
        assert (await outbox.work(500)).looked_at == 1
    assert waits == sorted(waits) or max(waits) < 3_602
    assert max(waits) < 3_602
    assert 2 * 86_400 < sum(waits) < 5 * 86_400
    assert await outbox.work(500) == Worked(looked_at=0, matched=0)
    (kept,) = await rows(database_url, "SELECT carrier_message_id, message_id, next_try_at FROM receipt")
    assert kept == ("F00D", None, None)


# Outcomes that are open.


async def test_a_receipt_settles_an_unknown_outcome_by_phone_and_sender(
    outbox: PostgresOutbox, database_url: str
) -> None:
    message = await unknown(outbox, database_url)
    assert (message.state, await money(outbox)) == (State.UNKNOWN, (0, PRICE.unit_price))
    await outbox.store([receipt("A1")])
    await outbox.work(500)
    assert await state_of(outbox, message) is State.UNKNOWN
    await until_matched_by_address(outbox, database_url)
    delivered = await stored(outbox, message.id)
    assert (delivered.state, delivered.billing) == (State.DELIVERED, Billing.CHARGED)
    assert delivered.error_code is None
    assert delivered.carrier == "smpp"
    assert delivered.sent_at is not None
    assert await money(outbox) == (-PRICE.unit_price, 0)
    assert (await transitions(database_url, message.id))[-1] == (1, "unknown", "delivered")
    assert await rows(database_url, "SELECT 1 FROM dispatch") == []
    assert await rows(database_url, "SELECT -amount FROM ledger_entry") == [(PRICE.unit_price,)]


@pytest.mark.parametrize(
    ("report", "state"), [(E, State.ACCEPTED), (D, State.DELIVERED), (U, State.UNDELIVERED)], ids=lambda v: v.value
)
async def test_any_receipt_shows_that_the_carrier_took_it(
    outbox: PostgresOutbox, database_url: str, report: ReceiptState, state: State
) -> None:
    message = await unknown(outbox, database_url)
    await outbox.store([receipt("A1", report)])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is state
    assert await money(outbox) == (-PRICE.unit_price, 0)
    if state is State.ACCEPTED:
        await bring(outbox, receipt("A1"))
        assert await state_of(outbox, message) is State.DELIVERED
        assert await money(outbox) == (-PRICE.unit_price, 0)


async def test_two_candidates_are_one_too_many(outbox: PostgresOutbox, database_url: str) -> None:
    messages = [await unknown(outbox, database_url) for _ in range(2)]
    await outbox.store([receipt("A1")])
    await until_matched_by_address(outbox, database_url)
    assert {await state_of(outbox, message) for message in messages} == {State.UNKNOWN}
    assert await waiting(database_url) == 1


@pytest.mark.parametrize(
    "stray",
    [
        receipt("A1", recipient="+254799999999"),
        receipt("A1", recipient=None),
        receipt("A1", sender_id="OTHER"),
    ],
    ids=["another phone", "no phone", "another sender"],
)
async def test_a_receipt_of_somebody_else_settles_nothing(
    outbox: PostgresOutbox, database_url: str, stray: DeliveryReceipt
) -> None:
    message = await unknown(outbox, database_url)
    await outbox.store([stray])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.UNKNOWN


async def test_a_receipt_without_a_sender_is_matched_by_the_phone(outbox: PostgresOutbox, database_url: str) -> None:
    message = await unknown(outbox, database_url)
    await outbox.store([receipt("A1", sender_id=None)])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.DELIVERED


async def test_a_receipt_from_before_the_attempt_is_not_its_own(outbox: PostgresOutbox, database_url: str) -> None:
    await outbox.store([receipt("A1")])
    await pass_time(database_url, 60)
    message = await record(outbox, acceptance(claimed=True))
    await settle(outbox, Claim(message, 1, 0, 0.0), unanswered())
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.UNKNOWN


async def test_an_open_message_of_two_parts_needs_receipts_of_both(outbox: PostgresOutbox, database_url: str) -> None:
    message = await unknown(outbox, database_url, TWO_UNITS)
    await outbox.store([receipt("A1")])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.UNKNOWN
    assert await money(outbox) == (0, Decimal("1.2"))
    await bring(outbox, receipt("A1"))
    assert await state_of(outbox, message) is State.UNKNOWN
    await outbox.store([receipt("A2")])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.DELIVERED
    assert await money(outbox) == (Decimal("-1.2"), 0)


async def test_both_receipts_in_one_pass_settle_an_open_message(outbox: PostgresOutbox, database_url: str) -> None:
    message = await unknown(outbox, database_url, TWO_UNITS)
    await outbox.store([receipt("A1"), receipt("A2"), receipt("A1")])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.DELIVERED
    assert await rows(database_url, "SELECT part, canonical_id FROM message_part ORDER BY part") == [
        (1, "a1"),
        (2, "a2"),
    ]


async def test_a_part_that_was_answered_and_one_that_was_not(outbox: PostgresOutbox, database_url: str) -> None:
    message = await sent(outbox, unanswered("A1"), message=TWO_UNITS)
    await bring(outbox, receipt("A1"))
    assert await state_of(outbox, message) is State.UNKNOWN
    await outbox.store([receipt("A2")])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.DELIVERED


async def test_a_receipt_after_the_window_changes_and_charges_nothing(
    outbox: PostgresOutbox, database_url: str
) -> None:
    message = await sent(outbox, unanswered("A1"))
    await pass_time(database_url, 3_601)
    assert (await outbox.sweep()).expired == 1
    assert (await bring(outbox, receipt("A1"))).matched == 1
    assert await state_of(outbox, message) is State.EXPIRED
    assert await money(outbox) == (0, 0)


# Resends.


async def resent(outbox: PostgresOutbox, message_id: UUID, *references: str) -> Message:
    await outbox.resend(message_id, 3)
    (claim,) = await outbox.claim(1)
    return await settle(outbox, claim, accepted(*references))


async def test_receipts_of_an_earlier_attempt_decide_nothing(outbox: PostgresOutbox, database_url: str) -> None:
    message = await sent(outbox, accepted("A1"))
    await bring(outbox, receipt("A1", U))
    await outbox.resend(message.id, 3)
    assert (await bring(outbox, receipt("A1"))).matched == 1
    assert await state_of(outbox, message) is State.READY
    (claim,) = await outbox.claim(1)
    await bring(outbox, receipt("A1", U))
    await settle(outbox, claim, accepted("B1"))
    await bring(outbox, receipt("A1", U), receipt("A1"))
    assert await state_of(outbox, message) is State.ACCEPTED
    await bring(outbox, receipt("B1"))
    assert await state_of(outbox, message) is State.DELIVERED
    assert await money(outbox) == (-2 * PRICE.unit_price, 0)
    assert (await transitions(database_url, message.id))[-1] == (2, "accepted", "delivered")


async def test_a_late_receipt_of_an_earlier_attempt_does_not_settle_an_open_one(
    outbox: PostgresOutbox, database_url: str
) -> None:
    message = await sent(outbox, accepted("A1"))
    await bring(outbox, receipt("A1", U))
    await outbox.resend(message.id, 3)
    (claim,) = await outbox.claim(1)
    await settle(outbox, claim, unanswered())
    await bring(outbox, receipt("A1"))
    assert await state_of(outbox, message) is State.UNKNOWN
    assert await money(outbox) == (-PRICE.unit_price, PRICE.unit_price)


async def test_an_open_outcome_that_ends_while_its_receipt_is_looked_at_gets_no_part(
    outbox: PostgresOutbox, database_url: str
) -> None:
    message = await unknown(outbox, database_url)
    await outbox.store([receipt("A1")])
    for _ in range(2):
        await outbox.work(500)
        await pass_time(database_url, 5)
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute("DELETE FROM dispatch")
        working = asyncio.ensure_future(outbox.work(500))
        async with asyncio.timeout(10):
            while not await rows(database_url, WAITS_FOR_A_LOCK):
                continue
        await other.execute("UPDATE message SET state = 'expired', billing = 'released'")
        await other.execute("UPDATE account SET held = 0")
    await working
    assert await state_of(outbox, message) is State.EXPIRED
    assert await rows(database_url, "SELECT 1 FROM message_part") == []
    assert await money(outbox) == (0, 0)


async def test_an_id_that_both_attempts_got_means_the_later_one(outbox: PostgresOutbox) -> None:
    message = await sent(outbox, accepted("A1"))
    await bring(outbox, receipt("A1", U))
    await resent(outbox, message.id, "A1")
    await bring(outbox, receipt("A1"))
    assert await state_of(outbox, message) is State.DELIVERED


async def test_receipts_of_a_partly_sent_message_leave_its_refusal_alone(outbox: PostgresOutbox) -> None:
    partly = refused("PARTIALLY_SENT")
    object.__setattr__(partly, "carrier_message_ids", ("A1",))
    message = await sent(outbox, partly, message=TWO_UNITS)
    await bring(outbox, receipt("A1"))
    assert await state_of(outbox, message) is State.REFUSED
    assert await money(outbox) == (0, 0)


# Several instances.


async def test_two_instances_work_one_inbox_without_doing_anything_twice(
    make_outbox: MakeOutbox, database_url: str
) -> None:
    one, two = await make_outbox("one"), await make_outbox("two")
    messages = [await sent(one, accepted(f"A{n}"), user_id=f"user{n % 3}") for n in range(60)]
    await asyncio.gather(*((one, two)[n % 2].store([receipt(f"A{n}"), receipt(f"A{(n * 7) % 60}")]) for n in range(60)))
    worked = await asyncio.gather(*((one, two)[n % 2].work(20) for n in range(12)))
    assert sum(pass_.matched for pass_ in worked) == 120
    for message in messages:
        assert [move[2] for move in await transitions(database_url, message.id)] == [
            "submitting",
            "accepted",
            "delivered",
        ]


async def test_receipts_and_the_end_of_the_window_at_once_charge_or_release_but_not_both(
    make_outbox: MakeOutbox, database_url: str
) -> None:
    one, two = await make_outbox("one"), await make_outbox("two")
    messages = [await sent(one, unanswered(f"A{n}")) for n in range(30)]
    await pass_time(database_url, 3_601)
    await one.store([receipt(f"A{n}") for n in range(30)])
    await asyncio.gather(*(one.work(5) for _ in range(6)), two.sweep())
    states = [await state_of(one, message) for message in messages]
    assert set(states) <= {State.DELIVERED, State.EXPIRED}
    assert await money(one) == (-states.count(State.DELIVERED) * PRICE.unit_price, 0)
