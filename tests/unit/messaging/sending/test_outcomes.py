"""Callers that wait for what becomes of their messages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest

from messaging_service.sending import outcomes as module
from messaging_service.sending.outbox import Accepted
from messaging_service.sending.outcomes import Outcomes
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.states import IN_PROGRESS, State
from tests.contract.sms_examples import acceptance
from tests.doubles.in_memory_outbox import Book, InMemoryOutbox
from tests.doubles.messaging_fakes import RecordedLog, unavailable

pytestmark = pytest.mark.timeout(10)


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.001)


class Database:
    """Messages as another process changes them."""

    def __init__(self) -> None:
        self.messages: dict[UUID, Message] = {}
        self.asked: list[list[UUID]] = []
        self.failures: list[Exception] = []
        self.looked = asyncio.Condition()

    async def look_up(self, ids: Sequence[UUID]) -> Sequence[Message]:
        self.asked.append(list(ids))
        async with self.looked:
            self.looked.notify_all()
        if self.failures:
            raise self.failures.pop(0)
        return [self.messages[message_id] for message_id in ids if message_id in self.messages]

    async def asked_again(self, times: int = 2) -> None:
        """Returns after so many more look-ups."""
        target = len(self.asked) + times
        async with self.looked:
            await self.looked.wait_for(lambda: len(self.asked) >= target)


async def a_message(state: State) -> Message:
    (answer,) = await InMemoryOutbox(Book()).accept([acceptance(claimed=True)])
    assert isinstance(answer, Accepted)
    return replace(answer.message, state=state)


@pytest.mark.parametrize("state", sorted(set(State) - IN_PROGRESS))
async def test_an_outcome_of_this_process_arrives_at_once_at_everybody(state: State) -> None:
    outcomes = Outcomes(Database().look_up, RecordedLog())
    message = await a_message(state)
    waiting = [outcomes.expect(message.id) for _ in range(3)]
    outcomes.arrived(message)
    assert [future.result() for future in waiting] == [message] * 3


@pytest.mark.parametrize("state", sorted(IN_PROGRESS))
async def test_a_state_on_the_way_is_no_outcome(state: State) -> None:
    database = Database()
    outcomes = Outcomes(database.look_up, RecordedLog())
    message = await a_message(state)
    future = outcomes.expect(message.id)
    outcomes.arrived(message)
    database.messages[message.id] = message
    await database.asked_again()
    assert not future.done()
    outcomes.forget(message.id, future)


async def test_an_outcome_of_another_process_is_found_by_looking() -> None:
    database = Database()
    outcomes = Outcomes(database.look_up, RecordedLog())
    message = await a_message(State.ACCEPTED)
    future = outcomes.expect(message.id)
    await database.asked_again()
    database.messages[message.id] = message
    assert await future == message


async def test_all_that_wait_are_looked_up_together() -> None:
    database = Database()
    outcomes = Outcomes(database.look_up, RecordedLog())
    messages = [await a_message(State.REFUSED) for _ in range(5)]
    futures = [outcomes.expect(message.id) for message in messages]
    database.messages = {message.id: message for message in messages}
    assert await asyncio.gather(*futures) == messages
    assert len(database.asked) == 1
    assert set(database.asked[0]) == set(database.messages)


async def test_looking_survives_a_database_that_is_away() -> None:
    database = Database()
    database.failures = [unavailable(), unavailable()]
    outcomes = Outcomes(database.look_up, RecordedLog())
    message = await a_message(State.ACCEPTED)
    database.messages[message.id] = message
    assert await outcomes.expect(message.id) == message


async def test_nobody_is_looked_up_when_nobody_waits() -> None:
    database = Database()
    outcomes = Outcomes(database.look_up, RecordedLog())
    message = await a_message(State.ACCEPTED)
    future = outcomes.expect(message.id)
    outcomes.forget(message.id, future)
    assert future.cancelled()
    other = await a_message(State.ACCEPTED)
    waiting = outcomes.expect(other.id)
    await database.asked_again()
    assert all(message.id not in ids for ids in database.asked)
    outcomes.arrived(other)
    assert await waiting == other


async def test_who_stops_waiting_does_not_stop_the_others() -> None:
    outcomes = Outcomes(Database().look_up, RecordedLog())
    message = await a_message(State.ACCEPTED)
    leaving, staying = outcomes.expect(message.id), outcomes.expect(message.id)
    outcomes.forget(message.id, leaving)
    outcomes.arrived(message)
    assert staying.result() == message


async def test_who_has_its_outcome_may_leave_while_others_wait_for_the_next_one() -> None:
    outcomes = Outcomes(Database().look_up, RecordedLog())
    message = await a_message(State.REFUSED)
    first = outcomes.expect(message.id)
    outcomes.arrived(message)
    second = outcomes.expect(message.id)
    outcomes.forget(message.id, first)
    assert not second.done()
    outcomes.arrived(message)
    assert second.result() == message


async def test_an_outcome_that_nobody_waits_for_is_no_fault() -> None:
    Outcomes(Database().look_up, RecordedLog()).arrived(await a_message(State.ACCEPTED))


async def test_those_that_ask_how_messages_stand_share_queries() -> None:
    database = Database()
    outcomes = Outcomes(database.look_up, RecordedLog())
    recorded = [await a_message(State.READY) for _ in range(module.MAX_LOOKED_UP + 1)]
    database.messages = {message.id: replace(message, state=State.ACCEPTED) for message in recorded}
    latest = await asyncio.gather(*map(outcomes.latest, [*recorded, recorded[0]]))
    assert {message.state for message in latest} == {State.ACCEPTED}
    assert [len(ids) for ids in database.asked] == [module.MAX_LOOKED_UP, 1]


async def test_a_message_stands_as_it_was_recorded_when_nothing_newer_can_be_read() -> None:
    database = Database()
    database.failures = [unavailable()]
    outcomes = Outcomes(database.look_up, RecordedLog())
    message = await a_message(State.SUBMITTING)
    assert await outcomes.latest(message) == message
    assert await outcomes.latest(message) == message
    assert len(database.asked) == 2


async def test_a_look_up_that_breaks_is_reported_and_leaves_nobody_waiting() -> None:
    database, log = Database(), RecordedLog()
    database.failures = [RuntimeError("bug")]
    outcomes = Outcomes(database.look_up, log)
    message = await a_message(State.SUBMITTING)
    assert await outcomes.latest(message) == message
    assert log.lines == [("upkeep_crashed", "outcomes", "bug")]


async def test_who_stops_asking_does_not_stop_the_others() -> None:
    outcomes = Outcomes((database := Database()).look_up, RecordedLog())
    message = await a_message(State.READY)
    database.messages = {message.id: replace(message, state=State.REFUSED)}
    leaving, staying = (asyncio.ensure_future(outcomes.latest(message)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).state is State.REFUSED


async def test_however_many_wait_one_look_is_bounded_and_everybody_has_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LOOKED_UP", 2)
    database = Database()
    outcomes = Outcomes(database.look_up, RecordedLog())
    messages = [await a_message(State.ACCEPTED) for _ in range(5)]
    futures = [outcomes.expect(message.id) for message in messages]
    await database.asked_again(3)
    assert {message_id for ids in database.asked for message_id in ids} == {message.id for message in messages}
    assert max(map(len, database.asked)) == 2
    database.messages = {message.id: message for message in messages}
    assert await asyncio.gather(*futures) == messages
