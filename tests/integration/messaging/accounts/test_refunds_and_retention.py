"""Receipts and the money: the charging policy; and what becomes of receipts that have done their work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from messaging_service.accounts.domain.charging import ChargePolicy
from messaging_service.carriers.domain.submission import DeliveryReceipt, ReceiptState
from messaging_service.shared.domain.money import Price
from messaging_service.shared.domain.states import Billing, State
from service_kit.postgres.database import create_pool
from tests.contract.sms_examples import PRICE, TWO_UNITS, accepted, unanswered
from tests.integration.messaging.conftest import WINDOWS, money, receipt, sent, settle, stored
from tests.integration.messaging.receipts.receipts_at_work import bring, unknown, until_matched_by_address
from tests.system.messaging_database import pass_time, rows
from tests.system.messaging_replica import Replica

pytestmark = pytest.mark.timeout(60)

TOTAL = PRICE.unit_price
U = ReceiptState.UNDELIVERABLE
BY_DELIVERY = ChargePolicy.DELIVERY
LEDGER = "SELECT attempt, kind, amount FROM ledger_entry ORDER BY attempt, kind"


def with_error(item: DeliveryReceipt, code: str) -> DeliveryReceipt:
    return replace(item, network_error=code)


async def test_undelivered_messages_are_refunded_where_delivery_is_charged(database_url: str) -> None:
    async with create_pool(database_url, "here") as pool:
        outbox = Replica(pool, "here", WINDOWS, charge=BY_DELIVERY)
        message = await sent(outbox, accepted("A1"))
        await bring(outbox, receipt("A1", U))
        failed = await stored(outbox, message.id)
        assert (failed.state, failed.billing) == (State.UNDELIVERED, Billing.REFUNDED)
        assert await money(outbox) == (0, 0)
        await bring(outbox, receipt("A1", U), receipt("A1"))
        assert await rows(database_url, LEDGER) == [(1, "charge", -TOTAL), (1, "refund", TOTAL)]

        again = await outbox.resend(message.id, 3, accounts=None)
        assert (again.billing, await money(outbox)) == (Billing.HELD, (0, TOTAL))
        (claim,) = await outbox.claim(1)
        await settle(outbox, claim, accepted("B1"))
        await bring(outbox, receipt("B1"))
        delivered = await stored(outbox, message.id)
        assert (delivered.state, delivered.billing) == (State.DELIVERED, Billing.CHARGED)
        assert await money(outbox) == (-TOTAL, 0)


async def test_an_open_outcome_that_proves_undelivered_is_charged_and_refunded(database_url: str) -> None:
    async with create_pool(database_url, "here") as pool:
        outbox = Replica(pool, "here", WINDOWS, charge=BY_DELIVERY)
        message = await unknown(outbox, database_url)
        await outbox.receipts.store([receipt("A1", U)])
        await until_matched_by_address(outbox, database_url)
        assert (await stored(outbox, message.id)).billing is Billing.REFUNDED
        assert await money(outbox) == (0, 0)
        assert await rows(database_url, LEDGER) == [(1, "charge", -TOTAL), (1, "refund", TOTAL)]


async def test_one_lost_part_refunds_the_whole(database_url: str) -> None:
    async with create_pool(database_url, "here") as pool:
        outbox = Replica(pool, "here", WINDOWS, charge=BY_DELIVERY)
        await sent(outbox, accepted("A1", "A2"), message=TWO_UNITS)
        await bring(outbox, receipt("A1"), receipt("A2", U))
        assert await money(outbox) == (0, 0)


async def test_a_free_message_whose_outcome_was_open_is_settled_by_its_receipt(
    outbox: Replica, database_url: str
) -> None:
    free = Price(PRICE.unit_price * 0, PRICE.cost_id, PRICE.level)
    message = await sent(outbox, unanswered("A1"), price=free)
    await bring(outbox, receipt("A1"))
    delivered = await stored(outbox, message.id)
    assert (delivered.state, delivered.billing) == (State.DELIVERED, Billing.CHARGED)
    assert await rows(database_url, LEDGER) == [(1, "charge", 0)]


async def test_the_carriers_own_error_is_shown_and_noted(outbox: Replica, database_url: str) -> None:
    message = await sent(outbox, accepted("A1", "A2"), message=TWO_UNITS)
    await bring(outbox, with_error(receipt("A1"), "000"), with_error(receipt("A2", U), "034"))
    assert (await stored(outbox, message.id)).carrier_error_code == "034"
    noted = "SELECT carrier_error_code FROM message_event WHERE to_state = 'undelivered'"
    assert await rows(database_url, noted) == [("034",)]
    assert (await outbox.resend(message.id, 3, accounts=None)).carrier_error_code is None


async def test_a_delivered_message_shows_no_error_of_the_carrier(outbox: Replica) -> None:
    message = await sent(outbox, accepted("A1"))
    await bring(outbox, with_error(receipt("A1"), "000"))
    assert (await stored(outbox, message.id)).carrier_error_code is None


async def test_old_receipts_are_forgotten_step_by_step_and_those_that_wait_are_kept(
    outbox: Replica, database_url: str
) -> None:
    await sent(outbox, accepted("A1"))
    await bring(outbox, *(receipt("A1") for _ in range(4)), receipt("B1"))
    await pass_time(database_url, 100)
    await bring(outbox, receipt("A1"))
    assert [await outbox.receipts.forget(50, 2) for _ in range(3)] == [2, 2, 0]
    assert await rows(database_url, "SELECT canonical_id FROM receipt ORDER BY id") == [("b1",), ("a1",)]
