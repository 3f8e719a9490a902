"""Counting what waits: every kind of row, along indexes, and only so far."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from messaging_service.carriers.domain.submission import ReceiptState
from messaging_service.sending.postgres.queue_view import PostgresQueueView
from messaging_service.sending.queue_state import Waiting
from messaging_service.shared.domain.states import Priority
from service_kit.errors import ServiceError
from service_kit.postgres.database import create_pool
from tests.conftest import FreshDatabase
from tests.contract.sms_examples import acceptance, unanswered
from tests.integration.messaging.conftest import receipt, record, sent
from tests.system.messaging_database import pass_time, rows
from tests.system.messaging_replica import Replica

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def view(database_url: str) -> AsyncIterator[PostgresQueueView]:
    async with create_pool(database_url, "view", max_size=2, timeout_s=20) as pool:
        yield PostgresQueueView(pool)


async def test_an_empty_queue_has_nothing_of_any_kind(view: PostgresQueueView) -> None:
    state = await view.look()
    assert state.messages == {}
    assert state.oldest_due_s == {}
    assert (state.receipts_new, state.receipts_unmatched, state.receipts_orphaned) == (0, 0, 0)


async def test_messages_are_counted_by_lane_and_by_why_they_wait(
    view: PostgresQueueView, outbox: Replica, database_url: str
) -> None:
    for _ in range(3):
        await record(outbox, acceptance(priority=Priority.HIGH))
    await record(outbox, acceptance())
    await pass_time(database_url, 40)
    await record(outbox, acceptance(priority=Priority.HIGH))
    await record(outbox, acceptance(claimed=True))
    await sent(outbox, unanswered())
    await record(outbox, acceptance())
    await rows(
        database_url,
        "UPDATE dispatch SET queued_at = now() + interval '1 day', due_at = now() + interval '1 day' "
        "WHERE message_id = (SELECT max(message_id::text)::uuid FROM dispatch)",
    )
    state = await view.look()
    assert state.messages == {
        (Priority.HIGH, Waiting.DUE): 4,
        (Priority.NORMAL, Waiting.DUE): 1,
        (Priority.NORMAL, Waiting.SCHEDULED): 1,
        (Priority.NORMAL, Waiting.SUBMITTING): 1,
        (Priority.NORMAL, Waiting.UNKNOWN): 1,
    }
    assert state.oldest_due_s.keys() == {Priority.HIGH, Priority.NORMAL}
    assert all(40 <= age_s < 100 for age_s in state.oldest_due_s.values())


async def test_receipts_are_new_then_unmatched_then_orphaned(
    view: PostgresQueueView, outbox: Replica, database_url: str
) -> None:
    await outbox.receipts.store([receipt("A1"), receipt("A2", ReceiptState.ENROUTE)])
    state = await view.look()
    assert (state.receipts_new, state.receipts_unmatched, state.receipts_orphaned) == (2, 0, 0)
    await outbox.receipts.work(500)
    state = await view.look()
    assert (state.receipts_new, state.receipts_unmatched, state.receipts_orphaned) == (0, 2, 0)
    await rows(database_url, "UPDATE receipt SET next_try_at = NULL WHERE carrier_message_id = 'A1'")
    state = await view.look()
    assert (state.receipts_new, state.receipts_unmatched, state.receipts_orphaned) == (0, 1, 1)


async def test_whatever_piles_up_is_counted_only_so_far(database_url: str, outbox: Replica) -> None:
    for _ in range(5):
        await record(outbox, acceptance())
    async with create_pool(database_url, "view", max_size=1, timeout_s=20) as pool:
        assert (await PostgresQueueView(pool, most=2).look()).messages == {(Priority.NORMAL, Waiting.DUE): 2}


async def test_a_database_that_is_away_is_a_failure_that_can_be_foreseen() -> None:
    async with create_pool("postgresql://nobody@127.0.0.1:1/none", "view", max_size=1, timeout_s=0.2) as pool:
        with pytest.raises(ServiceError, match="DATABASE_UNAVAILABLE"):
            await PostgresQueueView(pool).look()


async def test_a_database_that_is_not_migrated_is_a_failure_that_can_be_foreseen(fresh_database: FreshDatabase) -> None:
    async with create_pool(fresh_database(), "view", max_size=1) as pool:
        with pytest.raises(ServiceError, match="DATABASE_UNAVAILABLE"):
            await PostgresQueueView(pool).look()
