"""Receipts tell what became of messages whose outcome is unknown."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from messaging_service.carriers.domain.submission import DeliveryReceipt, ReceiptState
from messaging_service.sending.outbox import Claim
from messaging_service.shared.domain.states import Billing, State
from tests.contract.sms_examples import PRICE, TWO_UNITS, acceptance, accepted, unanswered
from tests.integration.messaging.conftest import (
    money,
    receipt,
    record,
    sent,
    settle,
    stored,
    transitions,
)
from tests.integration.messaging.receipts.receipts_at_work import (
    bring,
    state_of,
    unknown,
    until_matched_by_address,
    waiting,
)
from tests.system.messaging_database import pass_time, rows
from tests.system.messaging_replica import Replica

pytestmark = pytest.mark.timeout(60)

D, U, E = ReceiptState.DELIVERED, ReceiptState.UNDELIVERABLE, ReceiptState.ENROUTE


async def test_a_receipt_settles_an_unknown_outcome_by_phone_and_sender(outbox: Replica, database_url: str) -> None:
    message = await unknown(outbox, database_url)
    assert (message.state, await money(outbox)) == (State.UNKNOWN, (0, PRICE.unit_price))
    await outbox.receipts.store([receipt("A1")])
    await outbox.receipts.work(500)
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
    outbox: Replica, database_url: str, report: ReceiptState, state: State
) -> None:
    message = await unknown(outbox, database_url)
    await outbox.receipts.store([receipt("A1", report)])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is state
    assert await money(outbox) == (-PRICE.unit_price, 0)
    if state is State.ACCEPTED:
        await bring(outbox, receipt("A1"))
        assert await state_of(outbox, message) is State.DELIVERED
        assert await money(outbox) == (-PRICE.unit_price, 0)


async def test_two_candidates_are_one_too_many(outbox: Replica, database_url: str) -> None:
    messages = [await unknown(outbox, database_url) for _ in range(2)]
    await outbox.receipts.store([receipt("A1")])
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
    outbox: Replica, database_url: str, stray: DeliveryReceipt
) -> None:
    message = await unknown(outbox, database_url)
    await outbox.receipts.store([stray])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.UNKNOWN


async def test_a_receipt_of_another_carrier_settles_nothing(outbox: Replica, database_url: str) -> None:
    message = await sent(outbox, unanswered())
    await outbox.receipts.store([receipt("A1", carrier="other")])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.UNKNOWN
    await outbox.receipts.store([receipt("A2", carrier="smpp")])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.DELIVERED


async def test_an_unknown_message_to_the_phone_goes_before_another_message_with_the_id(
    outbox: Replica, database_url: str
) -> None:
    other = await sent(outbox, accepted("A1"), recipient_phone_number="+254722000111")
    message = await unknown(outbox, database_url)
    await outbox.receipts.store([receipt("A1")])
    await until_matched_by_address(outbox, database_url)
    assert (await state_of(outbox, message), await state_of(outbox, other)) == (State.DELIVERED, State.ACCEPTED)
    await bring(outbox, receipt("A1", U, recipient="+254722000111"))
    assert (await state_of(outbox, message), await state_of(outbox, other)) == (State.DELIVERED, State.UNDELIVERED)


async def test_a_receipt_that_a_phone_may_have_written_settles_nothing(outbox: Replica, database_url: str) -> None:
    message = await unknown(outbox, database_url)
    await outbox.receipts.store([replace(receipt("A1"), is_of_phone_alone=True)])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.UNKNOWN


async def test_one_part_alone_does_not_tell_that_the_others_were_taken(outbox: Replica, database_url: str) -> None:
    message = await unknown(outbox, database_url, TWO_UNITS)
    await outbox.receipts.store([replace(receipt("A1"), speaks_for_known_parts=True)])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.UNKNOWN


async def test_the_case_of_a_name_does_not_hide_whose_receipt_it_is(outbox: Replica, database_url: str) -> None:
    message = await unknown(outbox, database_url)
    await outbox.receipts.store([receipt("A1", sender_id="TukuPay")])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.DELIVERED


async def test_a_receipt_without_a_sender_is_matched_by_the_phone(outbox: Replica, database_url: str) -> None:
    message = await unknown(outbox, database_url)
    await outbox.receipts.store([receipt("A1", sender_id=None)])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.DELIVERED


async def test_a_receipt_from_before_the_attempt_is_not_its_own(outbox: Replica, database_url: str) -> None:
    await outbox.receipts.store([receipt("A1")])
    await pass_time(database_url, 60)
    message = await record(outbox, acceptance(claimed=True))
    await settle(outbox, Claim(message, 1, 0, 0.0), unanswered())
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.UNKNOWN


async def test_an_open_message_of_two_parts_needs_receipts_of_both(outbox: Replica, database_url: str) -> None:
    message = await unknown(outbox, database_url, TWO_UNITS)
    await outbox.receipts.store([receipt("A1")])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.UNKNOWN
    assert await money(outbox) == (0, Decimal("1.2"))
    await bring(outbox, receipt("A1"))
    assert await state_of(outbox, message) is State.UNKNOWN
    await outbox.receipts.store([receipt("A2")])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.DELIVERED
    assert await money(outbox) == (Decimal("-1.2"), 0)


async def test_both_receipts_in_one_pass_settle_an_open_message(outbox: Replica, database_url: str) -> None:
    message = await unknown(outbox, database_url, TWO_UNITS)
    await outbox.receipts.store([receipt("A1"), receipt("A2"), receipt("A1")])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.DELIVERED
    assert await rows(database_url, "SELECT part, canonical_id FROM message_part ORDER BY part") == [
        (1, "a1"),
        (2, "a2"),
    ]


async def test_a_part_that_was_answered_and_one_that_was_not(outbox: Replica, database_url: str) -> None:
    message = await sent(outbox, unanswered("A1"), message=TWO_UNITS)
    await bring(outbox, receipt("A1"))
    assert await state_of(outbox, message) is State.UNKNOWN
    await outbox.receipts.store([receipt("A2")])
    await until_matched_by_address(outbox, database_url)
    assert await state_of(outbox, message) is State.DELIVERED


async def test_a_receipt_after_the_window_changes_and_charges_nothing(outbox: Replica, database_url: str) -> None:
    message = await sent(outbox, unanswered("A1"))
    await pass_time(database_url, 3_601)
    assert (await outbox.sweep()).expired == 1
    assert (await bring(outbox, receipt("A1"))).matched == 1
    assert await state_of(outbox, message) is State.EXPIRED
    assert await money(outbox) == (0, 0)
