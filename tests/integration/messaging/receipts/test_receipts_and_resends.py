"""Receipts and the attempts that they speak of."""

from __future__ import annotations

import asyncio
from uuid import UUID

import psycopg
import pytest

from messaging_service.carriers.domain.submission import ReceiptState
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.states import State
from tests.contract.sms_examples import PRICE, TWO_UNITS, accepted, refused, unanswered
from tests.integration.messaging.conftest import (
    money,
    receipt,
    sent,
    settle,
    transitions,
)
from tests.integration.messaging.receipts.receipts_at_work import bring, state_of, unknown
from tests.system.messaging_database import STAYS_OPEN, pass_time, rows, until_found
from tests.system.messaging_replica import Replica

pytestmark = pytest.mark.timeout(60)

WAITS_FOR_A_LOCK = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
U = ReceiptState.UNDELIVERABLE


async def resent(outbox: Replica, message_id: UUID, *references: str) -> Message:
    await outbox.resend(message_id, 3, accounts=None)
    (claim,) = await outbox.claim(1)
    return await settle(outbox, claim, accepted(*references))


async def test_receipts_of_an_earlier_attempt_decide_nothing(outbox: Replica, database_url: str) -> None:
    message = await sent(outbox, accepted("A1"))
    await bring(outbox, receipt("A1", U))
    await outbox.resend(message.id, 3, accounts=None)
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
    outbox: Replica, database_url: str
) -> None:
    message = await sent(outbox, accepted("A1"))
    await bring(outbox, receipt("A1", U))
    await outbox.resend(message.id, 3, accounts=None)
    (claim,) = await outbox.claim(1)
    await settle(outbox, claim, unanswered())
    await bring(outbox, receipt("A1"))
    assert await state_of(outbox, message) is State.UNKNOWN
    assert await money(outbox) == (-PRICE.unit_price, PRICE.unit_price)


async def test_an_open_outcome_that_ends_while_its_receipt_is_looked_at_gets_no_part(
    outbox: Replica, database_url: str
) -> None:
    message = await unknown(outbox, database_url)
    await outbox.receipts.store([receipt("A1")])
    for _ in range(2):
        await outbox.receipts.work(500)
        await pass_time(database_url, 5)
    async with await psycopg.AsyncConnection.connect(database_url, options=STAYS_OPEN) as other:
        await other.execute("DELETE FROM dispatch")
        working = asyncio.ensure_future(outbox.receipts.work(500))
        await until_found(database_url, WAITS_FOR_A_LOCK)
        await other.execute("UPDATE message SET state = 'expired', billing = 'released'")
        await other.execute("UPDATE account SET held = 0")
    await working
    assert await state_of(outbox, message) is State.EXPIRED
    assert await rows(database_url, "SELECT 1 FROM message_part") == []
    assert await money(outbox) == (0, 0)


async def test_an_id_that_both_attempts_got_means_the_later_one(outbox: Replica) -> None:
    message = await sent(outbox, accepted("A1"))
    await bring(outbox, receipt("A1", U))
    await resent(outbox, message.id, "A1")
    await bring(outbox, receipt("A1"))
    assert await state_of(outbox, message) is State.DELIVERED


async def test_receipts_of_a_partly_sent_message_leave_its_refusal_alone(outbox: Replica) -> None:
    partly = refused("PARTIALLY_SENT")
    object.__setattr__(partly, "carrier_message_ids", ("A1",))
    message = await sent(outbox, partly, message=TWO_UNITS)
    await bring(outbox, receipt("A1"))
    assert await state_of(outbox, message) is State.REFUSED
    assert await money(outbox) == (0, 0)
