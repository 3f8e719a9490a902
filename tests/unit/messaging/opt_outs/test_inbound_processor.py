"""The desk between carriers, the inbox and the suppression list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest

from messaging_service.opt_outs.domain.inbound import InboundMessage
from messaging_service.opt_outs.domain.opt_out_keywords import Keywords
from messaging_service.opt_outs.inbound_inbox import WorkedInbound
from messaging_service.opt_outs.inbound_processor import InboundProcessor
from messaging_service.opt_outs.suppression_store import Stopped
from messaging_service.sending.outbox import Accepted, Claim
from messaging_service.shared.domain.states import State
from service_kit.errors import ServiceError
from tests.contract.sms_examples import RECIPIENT, acceptance, not_taken, settlement
from tests.doubles.in_memory_outbox import Book, InMemoryOutbox
from tests.doubles.in_memory_suppressions import InMemoryInbound, InMemorySuppressions
from tests.doubles.messaging_fakes import RecordedLog, unavailable, until

pytestmark = pytest.mark.timeout(10)


def wrote(text: str) -> InboundMessage:
    return InboundMessage("smpp", RECIPIENT, "TUKUPAY", text, False, datetime(2026, 6, 1, tzinfo=UTC))


class FailingInbox(InMemoryInbound):
    """An inbox that fails with what the test puts on its lists, and cannot bear one text."""

    failures: list[Exception]
    forgetting: list[int]
    postponed = 0

    async def store(self, messages: Sequence[InboundMessage]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        await super().store(messages)

    async def work(self, limit: int) -> WorkedInbound:
        if self.failures:
            raise self.failures.pop(0)
        if any(message.text == "poison" for message in self.waiting[:limit]):
            raise RuntimeError("cannot bear it")
        return await super().work(limit)

    async def postpone_next(self) -> None:
        self.postponed += 1
        self.waiting.pop(0)

    async def forget(self, limit: int) -> int:
        return self.forgetting.pop(0) if self.forgetting else 0


class World:
    def __init__(self) -> None:
        self.book, self.log = Book(), RecordedLog()
        self.outbox = InMemoryOutbox(self.book)
        self.suppressions = InMemorySuppressions(self.book)
        self.inbox = FailingInbox(self.suppressions, Keywords())
        self.inbox.failures, self.inbox.forgetting = [], []
        self.desk = InboundProcessor(self.inbox, self.suppressions, self.log, poll_s=3_600)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        working = asyncio.ensure_future(self.desk.run())
        try:
            yield
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


@pytest.fixture
def world() -> World:
    return World()


async def test_what_a_phone_writes_is_stored_before_it_is_acknowledged(world: World) -> None:
    await world.desk.take([wrote("STOP")])
    assert world.inbox.waiting == [wrote("STOP")]


async def test_what_cannot_be_stored_is_not_acknowledged(world: World) -> None:
    world.inbox.failures = [unavailable()]
    with pytest.raises(ServiceError):
        await world.desk.take([wrote("STOP")])


async def test_a_stop_wakes_the_desk_and_empties_the_queue(world: World) -> None:
    await world.outbox.accept([acceptance()])
    async with world.working():
        await world.desk.take([wrote("STOP")])
        await until(lambda: len(world.log.lines) == 2)
    assert world.log.lines == [("opted", "1", "0"), ("queued_stopped", "1")]
    assert {message.state for message in world.book.messages.values()} == {State.CANCELLED}


async def test_one_message_that_cannot_be_worked_does_not_hold_up_the_others(world: World) -> None:
    await world.inbox.store([wrote("poison"), wrote("STOP"), wrote("hello")])
    async with world.working():
        await until(lambda: world.inbox.postponed == 1)
        world.desk.look_again()
        await until(lambda: ("opted", "1", "0") in world.log.lines)
    assert not world.inbox.waiting
    assert world.log.lines[:2] == [("upkeep_crashed", "inbound", "cannot bear it")] * 2


async def test_a_full_pass_is_followed_by_the_next_at_once(world: World) -> None:
    await world.inbox.store([wrote("hello")] * 250)
    async with world.working():
        await until(lambda: not world.inbox.waiting)


async def test_a_database_that_is_away_is_reported_and_tried_again(world: World) -> None:
    await world.inbox.store([wrote("STOP")])
    world.inbox.failures = [unavailable()]
    async with world.working():
        await until(lambda: bool(world.log.lines))
        world.desk.look_again()
        await until(lambda: len(world.log.lines) == 2)
    assert world.log.lines == [("upkeep_failed", "inbound", "DATABASE_UNAVAILABLE"), ("opted", "1", "0")]


async def test_a_message_in_flight_is_watched_until_it_ends(world: World) -> None:
    (answer,) = await world.outbox.accept([acceptance(claimed=True)])
    assert isinstance(answer, Accepted)
    looks: list[Sequence[UUID]] = []
    stop_queued = world.suppressions.stop_queued

    async def counted(ids: Sequence[UUID], wait_s: float) -> Stopped:
        looks.append(ids)
        return await stop_queued(ids, wait_s)

    world.suppressions.stop_queued = counted  # type: ignore[method-assign]
    async with world.working():
        await world.desk.take([wrote("STOP")])
        # Nobody wakes the desk: it looks again by itself, although it is to look once in an hour.
        await until(lambda: len([ids for ids in looks if ids]) >= 2)
        await world.outbox.settle([settlement(Claim(answer.message, 1, 0, 0.0), not_taken(), retry_in_s=60)])
        await until(lambda: ("queued_stopped", "1") in world.log.lines)
    assert world.book.messages[answer.message.id].state is State.CANCELLED


async def test_old_records_are_forgotten_until_none_is_left(world: World) -> None:
    world.inbox.forgetting = [1_000, 12, 5]
    async with world.working():
        await until(lambda: world.inbox.forgetting == [12, 5])
        world.desk.look_again()
        await until(lambda: world.inbox.forgetting == [5])
        world.desk.look_again()
        await world.desk.take([wrote("STOP")])
        await until(lambda: ("opted", "1", "0") in world.log.lines)
    # The next time comes after a pause.
    assert world.inbox.forgetting == [5]
