"""Several instances work one inbox."""

from __future__ import annotations

import asyncio

import pytest

from messaging_service.shared.domain.states import State
from tests.contract.sms_examples import PRICE, accepted, unanswered
from tests.integration.messaging.conftest import (
    MakeOutbox,
    money,
    receipt,
    sent,
    transitions,
)
from tests.integration.messaging.receipts.receipts_at_work import state_of
from tests.system.messaging_database import pass_time

pytestmark = pytest.mark.timeout(60)


async def test_two_instances_work_one_inbox_without_doing_anything_twice(
    make_outbox: MakeOutbox, database_url: str
) -> None:
    one, two = await make_outbox("one"), await make_outbox("two")
    messages = [await sent(one, accepted(f"A{n}"), user_id=f"user{n % 3}") for n in range(60)]
    await asyncio.gather(
        *((one, two)[n % 2].receipts.store([receipt(f"A{n}"), receipt(f"A{(n * 7) % 60}")]) for n in range(60))
    )
    worked = await asyncio.gather(*((one, two)[n % 2].receipts.work(20) for n in range(12)))
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
    await one.receipts.store([receipt(f"A{n}") for n in range(30)])
    await asyncio.gather(*(one.receipts.work(5) for _ in range(6)), two.sweep())
    states = [await state_of(one, message) for message in messages]
    assert set(states) <= {State.DELIVERED, State.EXPIRED}
    assert await money(one) == (-states.count(State.DELIVERED) * PRICE.unit_price, 0)
