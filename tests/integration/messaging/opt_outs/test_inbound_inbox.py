"""The durable inbox of what phones write, on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from uuid_utils.compat import uuid7

from messaging_service.opt_outs.domain.inbound import InboundMessage
from messaging_service.opt_outs.domain.opt_out_keywords import Keywords
from messaging_service.opt_outs.inbound_inbox import WorkedInbound
from messaging_service.opt_outs.postgres.postgres_inbound import PostgresInbound
from messaging_service.opt_outs.postgres.postgres_suppressions import PostgresSuppressions
from messaging_service.opt_outs.suppression_store import Stopped
from service_kit.postgres.database import create_pool
from tests.contract.sms_examples import RECIPIENT, acceptance
from tests.integration.messaging.conftest import WINDOWS
from tests.system.messaging_database import rows
from tests.system.messaging_replica import Replica

pytestmark = pytest.mark.timeout(120)

DAY_S = 86_400.0


@dataclass
class World:
    inbox: PostgresInbound
    list: PostgresSuppressions
    outbox: Replica
    url: str

    async def wrote(self, *texts: str | None, phone: str = RECIPIENT) -> None:
        now = datetime.now(UTC)
        await self.inbox.store([InboundMessage("smpp", phone, "22141", text, False, now) for text in texts])

    async def is_stopped(self) -> bool:
        return bool(await self.list.covering(RECIPIENT, "22141", "user123"))


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with create_pool(database_url, "messaging", max_size=6) as pool:
        yield World(
            PostgresInbound(pool, Keywords(), uuid7, DAY_S),
            PostgresSuppressions(pool, "here"),
            Replica(pool, "here", WINDOWS),
            database_url,
        )


async def test_a_message_that_cannot_be_read_is_kept_and_said_to_be_so(world: World) -> None:
    await world.wrote(None, "Habari")
    assert await world.inbox.work(10) == WorkedInbound(2, opted_out=0, opted_in=0)
    assert not await world.is_stopped()
    kept = await rows(world.url, "SELECT phone, directive, text FROM inbound_message ORDER BY id")
    assert kept == [(RECIPIENT, "unreadable", None), (RECIPIENT, "none", None)]


async def test_words_count_in_the_order_in_which_they_were_stored(world: World) -> None:
    await world.wrote("STOP", "START", "STOP")
    assert await world.inbox.work(10) == WorkedInbound(3, opted_out=2, opted_in=1)
    assert await world.is_stopped()
    kept = await rows(world.url, "SELECT ended_at IS NULL FROM suppression ORDER BY inbound_id")
    assert kept == [(False,), (True,)]


async def test_a_start_that_was_held_up_does_not_end_the_stop_after_it(world: World) -> None:
    await world.wrote("START", "STOP")
    await world.inbox.postpone_next()
    assert await world.inbox.work(10) == WorkedInbound(1, opted_out=1, opted_in=0)
    await rows(world.url, "UPDATE inbound_message SET next_try_at = now() WHERE next_try_at IS NOT NULL")
    assert await world.inbox.work(10) == WorkedInbound(1, opted_out=0, opted_in=1)
    assert await world.is_stopped()


async def test_processes_that_work_at_once_apply_each_message_once(world: World) -> None:
    await world.wrote(*(["STOP", "START"] * 50))
    worked = [WorkedInbound(0, 0, 0)]
    while sum(each.looked_at for each in worked) < 100:
        worked += await asyncio.gather(*(world.inbox.work(10) for _ in range(4)))
    assert sum(each.opted_out for each in worked) == sum(each.opted_in for each in worked) == 50
    assert not await world.is_stopped()
    assert await rows(world.url, "SELECT count(*), count(ended_at) FROM suppression") == [(50, 50)]


async def test_what_no_table_can_hold_is_stored_all_the_same(world: World) -> None:
    await world.wrote("ST\x00OP", "\ud83d")
    assert await world.inbox.work(10) == WorkedInbound(2, opted_out=1, opted_in=0)


async def test_texts_go_when_they_were_read_and_records_when_their_time_is_over(world: World) -> None:
    await world.wrote("STOP", "how much is it?")
    await world.inbox.work(1)
    await rows(world.url, "UPDATE inbound_message SET stored_at = stored_at - interval '23 hours'")
    assert await world.inbox.forget(10) == 0
    assert await rows(world.url, "SELECT text, directive FROM inbound_message ORDER BY id") == [
        (None, "opt_out"),
        ("how much is it?", None),
    ]
    await rows(world.url, "UPDATE inbound_message SET stored_at = stored_at - interval '2 hours'")
    assert await world.inbox.forget(10) == 1
    # What nobody read yet stays until somebody does.
    assert await world.inbox.work(10) == WorkedInbound(1, 0, 0)
    assert await world.inbox.forget(10) == 1


async def test_a_flood_of_stops_is_worked_off_in_full_passes(world: World) -> None:
    phones = [f"+2547{number:08}" for number in range(450)]
    await world.outbox.accept([acceptance(recipient_phone_number=phone, sender_id="22141") for phone in phones])
    for phone in phones:
        await world.wrote("STOP", phone=phone)
    while (await world.inbox.work(100)).looked_at:
        continue
    passes = [await world.list.stop_pending(200, 5.0) for _ in range(3)]
    assert passes == [Stopped(200, complete=False), Stopped(200, complete=False), Stopped(50, complete=True)]
    assert await rows(world.url, "SELECT count(*) FROM dispatch") == [(0,)]
    assert await rows(world.url, "SELECT held FROM account") == [(0,)]
