"""Opting out while messages to the same phone are being accepted."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from uuid_utils.compat import uuid7

from messaging_service.opt_outs.domain.suppression import Scope, Source
from messaging_service.opt_outs.postgres.postgres_suppressions import PostgresSuppressions
from messaging_service.opt_outs.suppression_store import NewSuppression, Stopped
from messaging_service.sending.outbox import Accepted
from service_kit.audit.actor import PLATFORM
from service_kit.postgres.database import create_pool
from tests.contract.sms_examples import RECIPIENT, acceptance
from tests.integration.messaging.conftest import WINDOWS
from tests.system.messaging_database import STAYS_OPEN, rows, until_found
from tests.system.messaging_replica import Replica

pytestmark = pytest.mark.timeout(120)

TOMORROW = datetime.now(UTC) + timedelta(days=1)


def entry() -> NewSuppression:
    return NewSuppression(uuid7(), Scope(RECIPIENT, "TUKUPAY", None), Source.STOP_KEYWORD, "wrote", "smpp")


@pytest.mark.parametrize("round_", range(5))
async def test_after_the_stop_is_recorded_nothing_is_accepted_or_left_in_the_queue(
    database_url: str, round_: int
) -> None:
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as closing:
        pools = [
            await closing.enter_async_context(create_pool(database_url, "messaging", max_size=6, timeout_s=60))
            for _ in range(3)
        ]
        outboxes = [Replica(pool, f"replica {number}", WINDOWS) for number, pool in enumerate(pools)]
        suppressions = PostgresSuppressions(pools[-1], "stopper")
        begun: dict[int, float] = {}
        recorded_at = 0.0

        async def send(number: int) -> Accepted | None:
            begun[number] = loop.time()
            account = f"user{number % 4}"
            (answer,) = await outboxes[number % 2].accept([acceptance(scheduled_time=TOMORROW, user_id=account)])
            return answer if isinstance(answer, Accepted) else None

        async def stop() -> Stopped:
            nonlocal recorded_at
            added = await suppressions.add(entry(), actor=PLATFORM)
            stopped = await suppressions.stop_queued([added.suppression.id], 10.0)
            recorded_at = loop.time()
            return stopped

        sends = [asyncio.ensure_future(send(number)) for number in range(80 + 5 * round_)]
        await asyncio.wait(sends, return_when=asyncio.FIRST_COMPLETED)
        stopping = asyncio.ensure_future(stop())
        sends += [asyncio.ensure_future(send(number)) for number in range(len(sends), 200)]
        stopped = await stopping
        after = [asyncio.ensure_future(send(number)) for number in range(200, 220)]
        answers = await asyncio.gather(*sends)
        assert not any(await asyncio.gather(*after))
    assert not [number for number, answer in enumerate(answers) if answer and begun[number] >= recorded_at]
    accepted = sum(answer is not None for answer in answers)
    assert accepted >= 1
    assert stopped.complete
    assert stopped.messages == accepted
    assert await rows(database_url, "SELECT count(*) FROM dispatch") == [(0,)]
    assert await rows(database_url, "SELECT DISTINCT state, error_code FROM message") == [
        ("cancelled", "RECIPIENT_OPTED_OUT")
    ]
    assert await rows(database_url, "SELECT sum(held) FROM account") == [(0,)]


async def test_an_acceptance_that_read_the_list_before_the_stop_is_waited_for(database_url: str) -> None:
    async with create_pool(database_url, "messaging", max_size=6) as pool:
        outbox, suppressions = Replica(pool, "here", WINDOWS), PostgresSuppressions(pool, "here")
        await outbox.accept([acceptance(recipient_phone_number="+254700000001")])
        # Somebody holds the account, so that the acceptance has read the list and cannot go on.
        async with await psycopg.AsyncConnection.connect(database_url, options=STAYS_OPEN) as holder:
            await holder.execute("SELECT 1 FROM account FOR UPDATE")
            accepting = asyncio.ensure_future(outbox.accept([acceptance(scheduled_time=TOMORROW)]))
            await until_found(database_url, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            added = await suppressions.add(entry(), actor=PLATFORM)
            assert await suppressions.stop_queued([added.suppression.id], 0.0) == Stopped(0, complete=False)
            stopping = asyncio.ensure_future(suppressions.stop_queued([added.suppression.id], 30.0))
            await asyncio.wait({stopping}, timeout=0.1)
            assert not stopping.done()
            await holder.rollback()
        (answer,) = await accepting
        assert isinstance(answer, Accepted)
        assert await stopping == Stopped(1, complete=True)
        # A pass that never came to its end is due for the next process.
        assert await suppressions.stop_pending(10, 1.0) == Stopped(0, complete=True)


async def test_an_entry_whose_maker_died_is_taken_up_by_another_process(database_url: str) -> None:
    async with create_pool(database_url, "messaging", max_size=6) as pool:
        outbox, suppressions = Replica(pool, "here", WINDOWS), PostgresSuppressions(pool, "here")
        await outbox.accept([acceptance() for _ in range(450)])
        await suppressions.add(entry(), actor=PLATFORM)
        assert await suppressions.stop_pending(10, 1.0) == Stopped(0, complete=True)
        await rows(database_url, "UPDATE suppression SET pass_due_at = pass_due_at - interval '5 s'")
        assert await suppressions.stop_pending(10, 1.0) == Stopped(450, complete=True)
        account = await outbox.accounts.account("user123")
        assert account is not None
        assert account.held == 0


async def test_claims_and_opt_outs_that_meet_take_each_message_once(database_url: str) -> None:
    async with create_pool(database_url, "messaging", max_size=8) as pool:
        outbox, suppressions = Replica(pool, "here", WINDOWS), PostgresSuppressions(pool, "here")
        await outbox.accept([acceptance(user_id=f"user{number % 5}") for number in range(200)])
        added = await suppressions.add(entry(), actor=PLATFORM)

        async def claim() -> int:
            return sum([len(await outbox.claim(7)) for _ in range(10)])

        async def stop() -> int:
            return (await suppressions.stop_queued([added.suppression.id], 5.0)).messages

        claimed = await asyncio.gather(claim(), claim(), stop(), stop())
        assert sum(claimed) == 200
        assert await rows(database_url, "SELECT count(*) FROM dispatch WHERE state = 'ready'") == [(0,)]
        ((held, expected),) = await rows(
            database_url,
            "SELECT (SELECT sum(held) FROM account), (SELECT coalesce(sum(total), 0) FROM message "
            "WHERE billing = 'held')",
        )
        assert held == expected
