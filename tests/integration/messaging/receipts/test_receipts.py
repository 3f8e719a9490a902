"""Delivery receipts: kept, matched by the id of the carrier in either order, and forward only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from messaging_service.carriers.domain.submission import ReceiptState
from messaging_service.receipts.receipt_inbox import Worked
from messaging_service.sending.outbox import Claim
from messaging_service.shared.domain.states import Billing, State
from tests.contract.sms_examples import PRICE, TWO_UNITS, acceptance, accepted
from tests.integration.messaging.conftest import (
    money,
    receipt,
    record,
    sent,
    settle,
    stored,
    transitions,
)
from tests.integration.messaging.receipts.receipts_at_work import bring, state_of, until_matched_by_address, waiting
from tests.system.messaging_database import pass_time, rows
from tests.system.messaging_replica import Replica

pytestmark = pytest.mark.timeout(60)

D, U, E = ReceiptState.DELIVERED, ReceiptState.UNDELIVERABLE, ReceiptState.ENROUTE


async def test_a_delivered_receipt_delivers_the_message(outbox: Replica, database_url: str) -> None:
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
    outbox: Replica, state: ReceiptState, code: str
) -> None:
    message = await sent(outbox, accepted("A1"))
    await bring(outbox, receipt("A1", state))
    failed = await stored(outbox, message.id)
    assert (failed.state, failed.error_code, failed.billing) == (State.UNDELIVERED, code, Billing.CHARGED)
    assert failed.delivered_at is None
    assert await money(outbox) == (-PRICE.unit_price, 0)


@pytest.mark.parametrize("state", [ReceiptState.ENROUTE, ReceiptState.ACCEPTED, ReceiptState.UNKNOWN])
async def test_a_receipt_on_the_way_changes_nothing(outbox: Replica, database_url: str, state: ReceiptState) -> None:
    message = await sent(outbox, accepted("A1"))
    assert (await bring(outbox, receipt("A1", state))).matched == 1
    assert await stored(outbox, message.id) == message
    assert await waiting(database_url) == 0
    await bring(outbox, receipt("A1"))
    assert await state_of(outbox, message) is State.DELIVERED


@pytest.mark.parametrize("reported", ["1af", "1AF", "0001aF", "00000000000000000000000000000001af"])
@pytest.mark.parametrize("answered", ["1AF", "001af"])
async def test_spellings_of_an_id_are_equal(outbox: Replica, answered: str, reported: str) -> None:
    message = await sent(outbox, accepted(answered))
    await bring(outbox, receipt(reported))
    assert await state_of(outbox, message) is State.DELIVERED


async def test_an_id_belongs_to_its_carrier(outbox: Replica) -> None:
    message = await sent(outbox, accepted("A1"))
    assert (await bring(outbox, receipt("A1", carrier="other"))).matched == 0
    assert await state_of(outbox, message) is State.ACCEPTED


async def test_a_receipt_that_overtakes_the_answer_waits_for_it(outbox: Replica, database_url: str) -> None:
    message = await record(outbox, acceptance(claimed=True))
    assert await bring(outbox, receipt("A1")) == Worked(looked_at=1, matched=0)
    assert await outbox.receipts.work(500) == Worked(looked_at=0, matched=0)
    await settle(outbox, Claim(message, 1, 0, 0.0), accepted("A1"))
    await pass_time(database_url, 1.1)
    assert await outbox.receipts.work(500) == Worked(looked_at=1, matched=1)
    assert await state_of(outbox, message) is State.DELIVERED


async def test_receipts_that_come_again_change_nothing(outbox: Replica, database_url: str) -> None:
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
    outbox: Replica, reports: list[ReceiptState], state: State, together: bool
) -> None:
    message = await sent(outbox, accepted("A1"))
    receipts = [receipt("A1", report) for report in reports]
    if together:
        await bring(outbox, *receipts)
    else:
        for single in receipts:
            await bring(outbox, single)
    assert await state_of(outbox, message) is state


async def test_a_message_is_delivered_when_all_its_parts_are(outbox: Replica, database_url: str) -> None:
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


async def test_one_failed_part_fails_the_message(outbox: Replica) -> None:
    message = await sent(outbox, accepted("A1", "A2"), message=TWO_UNITS)
    await bring(outbox, receipt("A1"), receipt("A2", U))
    assert await state_of(outbox, message) is State.UNDELIVERED


async def test_many_receipts_are_worked_in_bounded_passes(outbox: Replica) -> None:
    messages = [await sent(outbox, accepted(f"A{n}")) for n in range(1, 8)]
    await outbox.receipts.store([receipt(f"A{n}") for n in range(1, 8)])
    assert [(await outbox.receipts.work(3)).matched for _ in range(4)] == [3, 3, 1, 0]
    assert {await state_of(outbox, message) for message in messages} == {State.DELIVERED}


async def test_an_id_that_the_carrier_uses_again_means_the_newest_message(outbox: Replica) -> None:
    old = await sent(outbox, accepted("A1"))
    new = await sent(outbox, accepted("A1"))
    await bring(outbox, receipt("A1"))
    assert (await state_of(outbox, old), await state_of(outbox, new)) == (State.ACCEPTED, State.DELIVERED)


async def test_a_receipt_for_an_unknown_id_waits_and_is_given_up_but_kept(outbox: Replica, database_url: str) -> None:
    await bring(outbox, receipt("F00D"))
    (first,) = await rows(database_url, "SELECT tries, extract(epoch FROM next_try_at - now())::float8 FROM receipt")
    assert first[0] == 1
    assert first[1] == pytest.approx(1, abs=0.9)
    waits = []
    while await waiting(database_url):
        (due,) = await rows(database_url, "SELECT extract(epoch FROM next_try_at - now())::float8 + 1 FROM receipt")
        waits.append(due[0])
        await pass_time(database_url, due[0])
        assert (await outbox.receipts.work(500)).looked_at == 1
    assert waits == sorted(waits) or max(waits) < 3_602
    assert max(waits) < 3_602
    assert 2 * 86_400 < sum(waits) < 5 * 86_400
    assert await outbox.receipts.work(500) == Worked(looked_at=0, matched=0)
    (kept,) = await rows(database_url, "SELECT carrier_message_id, message_id, next_try_at FROM receipt")
    assert kept == ("F00D", None, None)


OTHER_PHONE = "+254722000111"


async def test_an_id_of_two_messages_means_the_one_to_the_phone_of_the_receipt(outbox: Replica) -> None:
    first = await sent(outbox, accepted("777"))
    second = await sent(outbox, accepted("777"), recipient_phone_number=OTHER_PHONE)
    await bring(outbox, receipt("777", U))
    assert (await state_of(outbox, first), await state_of(outbox, second)) == (State.UNDELIVERED, State.ACCEPTED)
    await bring(outbox, receipt("777", D, recipient=OTHER_PHONE))
    assert (await state_of(outbox, first), await state_of(outbox, second)) == (State.UNDELIVERED, State.DELIVERED)


async def test_an_id_of_two_messages_means_the_newest_where_no_phone_is_named(outbox: Replica) -> None:
    first = await sent(outbox, accepted("777"))
    second = await sent(outbox, accepted("777"), recipient_phone_number=OTHER_PHONE)
    await bring(outbox, receipt("777", U, recipient=None))
    assert (await state_of(outbox, first), await state_of(outbox, second)) == (State.ACCEPTED, State.UNDELIVERED)


async def test_an_id_alone_counts_in_the_end_where_the_phone_is_that_of_nobody(
    outbox: Replica, database_url: str
) -> None:
    first = await sent(outbox, accepted("777"))
    second = await sent(outbox, accepted("777"), recipient_phone_number=OTHER_PHONE)
    await outbox.receipts.store([receipt("777", U, recipient="+254733000222")])
    await outbox.receipts.work(500)
    assert await state_of(outbox, second) is State.ACCEPTED
    await until_matched_by_address(outbox, database_url)
    assert (await state_of(outbox, first), await state_of(outbox, second)) == (State.ACCEPTED, State.UNDELIVERED)


async def test_a_receipt_that_overtakes_its_answer_moves_no_other_message_with_its_id(
    outbox: Replica, database_url: str
) -> None:
    other = await sent(outbox, accepted("777"), recipient_phone_number=OTHER_PHONE)
    message = await record(outbox, acceptance(claimed=True))
    await bring(outbox, receipt("777", U))
    await settle(outbox, Claim(message, 1, 0, 0.0), accepted("777"))
    await pass_time(database_url, 1.1)
    await outbox.receipts.work(500)
    assert (await state_of(outbox, message), await state_of(outbox, other)) == (State.UNDELIVERED, State.ACCEPTED)


async def test_a_second_reading_of_an_id_serves_where_the_first_finds_nothing(outbox: Replica) -> None:
    decimal = await sent(outbox, accepted("70592842"))
    await bring(outbox, replace(receipt("1885939778"), other_message_id="70592842"))
    assert await state_of(outbox, decimal) is State.DELIVERED
    both = [await sent(outbox, accepted(message_id)) for message_id in ("12", "34")]
    await bring(outbox, replace(receipt("12", U), other_message_id="34"))
    assert [await state_of(outbox, message) for message in both] == [State.UNDELIVERED, State.ACCEPTED]


async def test_a_receipt_that_a_phone_may_have_written_moves_only_messages_to_that_phone(
    outbox: Replica, database_url: str
) -> None:
    message = await sent(outbox, accepted("777"), recipient_phone_number=OTHER_PHONE)
    await bring(outbox, replace(receipt("777"), is_of_phone_alone=True))
    assert await state_of(outbox, message) is State.ACCEPTED
    await bring(outbox, replace(receipt("777", recipient=OTHER_PHONE), is_of_phone_alone=True))
    assert await state_of(outbox, message) is State.DELIVERED
    assert await waiting(database_url) == 1


async def test_one_receipt_speaks_for_all_parts_where_the_carrier_sends_no_more(outbox: Replica) -> None:
    message = await sent(outbox, accepted("A1", "A2"), message=TWO_UNITS)
    await bring(outbox, replace(receipt("A1"), speaks_for_known_parts=True))
    assert await state_of(outbox, message) is State.DELIVERED


async def test_a_failure_that_the_carrier_names_keeps_its_name(outbox: Replica) -> None:
    message = await sent(outbox, accepted("A1"))
    await bring(outbox, replace(receipt("A1", U), failure_code="OPTED_OUT_AT_CARRIER"))
    assert (await stored(outbox, message.id)).error_code == "OPTED_OUT_AT_CARRIER"


@pytest.mark.parametrize("reports", [[D, U], [U, D], [D, E, U]])
@pytest.mark.parametrize("together", [True, False], ids=["in one pass", "one by one"])
async def test_the_worst_word_counts_about_parts_that_share_an_id(
    outbox: Replica, database_url: str, reports: list[ReceiptState], together: bool
) -> None:
    message = await sent(outbox, accepted("A1", "A1"), message=TWO_UNITS)
    receipts = [receipt("A1", report) for report in reports]
    for batch in [receipts] if together else [[single] for single in receipts]:
        await bring(outbox, *batch)
    assert await state_of(outbox, message) is State.UNDELIVERED
    await pass_time(database_url, 61)
    await outbox.receipts.work(500)
    assert await state_of(outbox, message) is State.UNDELIVERED
    assert await waiting(database_url) == 0


async def test_one_delivery_of_parts_that_share_an_id_waits_a_minute_for_another_word(
    outbox: Replica, database_url: str
) -> None:
    message = await sent(outbox, accepted("A1", "A1"), message=TWO_UNITS)
    assert await bring(outbox, receipt("A1")) == Worked(looked_at=1, matched=0)
    await pass_time(database_url, 59)
    assert (await outbox.receipts.work(500)).looked_at == 0
    assert await state_of(outbox, message) is State.ACCEPTED
    await pass_time(database_url, 2)
    assert await outbox.receipts.work(500) == Worked(looked_at=1, matched=1)
    assert await state_of(outbox, message) is State.DELIVERED


async def test_as_many_deliveries_as_parts_that_share_an_id_leave_no_doubt(outbox: Replica, database_url: str) -> None:
    message = await sent(outbox, accepted("A1", "A1"), message=TWO_UNITS)
    await bring(outbox, receipt("A1"))
    await bring(outbox, receipt("A1"))
    assert await state_of(outbox, message) is State.DELIVERED
    await pass_time(database_url, 61)
    assert await outbox.receipts.work(500) == Worked(looked_at=1, matched=1)
    assert await waiting(database_url) == 0
