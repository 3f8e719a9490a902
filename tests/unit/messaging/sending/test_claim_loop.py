"""Taking due messages from the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import pytest

from messaging_service.carriers.domain.routing import DEFAULT_ROUTE
from messaging_service.carriers.domain.submission import Outcome, Submission
from messaging_service.shared.domain.states import State
from tests.contract.sms_examples import acceptance, accepted
from tests.doubles.messaging_fakes import unavailable, until
from tests.doubles.scripted_carrier import ScriptedCarrier
from tests.unit.messaging.sending.wired_service import Service

pytestmark = pytest.mark.timeout(10)


async def queue(service: Service, count: int) -> None:
    await service.outbox.accept([acceptance() for _ in range(count)])


def states(service: Service) -> set[State]:
    return {message.state for message in service.outbox.book.messages.values()}


async def test_what_is_due_is_sent() -> None:
    service = Service()
    await queue(service, 25)
    async with service.claiming():
        await service.carrier.submitted(25)
    assert states(service) == {State.ACCEPTED}


async def test_no_more_is_claimed_than_the_carrier_has_room_for() -> None:
    release = asyncio.Event()

    async def slow(_: Submission) -> Outcome:
        await release.wait()
        return accepted()

    service = Service(carrier=ScriptedCarrier(window=4, answer=slow))
    await queue(service, 10)
    service.claims.queued()
    async with service.claiming():
        await service.carrier.submitted(4)
        owned = [m for m in service.outbox.book.messages.values() if m.state is State.SUBMITTING]
        assert len(owned) == 4
        release.set()
        await service.carrier.submitted(10)
    assert states(service) == {State.ACCEPTED}
    assert max(service.outbox.claim_limits) <= 4


async def test_a_look_out_of_habit_leaves_half_of_the_window_to_new_sends() -> None:
    service = Service()
    async with service.claiming():
        await until(lambda: len(service.outbox.claim_limits) >= 3)
    assert set(service.outbox.claim_limits) == {5}
    assert service.carrier.free_slots == 10


async def test_slots_that_found_no_message_are_given_back() -> None:
    service = Service(poll_s=60)
    await queue(service, 1)
    service.claims.queued()
    async with service.claiming():
        await service.carrier.submitted(1)
        await until(lambda: service.carrier.free_slots == 10)


async def test_a_queued_message_is_not_left_to_the_next_poll() -> None:
    service = Service(poll_s=3_600)
    async with service.claiming():
        await until(lambda: len(service.outbox.claim_limits) == 1)
        await queue(service, 1)
        service.claims.queued()
        await service.carrier.submitted(1)


async def test_a_message_queued_by_another_process_is_found_by_polling() -> None:
    service = Service(poll_s=0.01)
    async with service.claiming():
        await until(lambda: len(service.outbox.claim_limits) >= 1)
        await queue(service, 1)
        await service.carrier.submitted(1)


async def test_new_sends_line_up_until_the_queue_was_emptied() -> None:
    service = Service(poll_s=3_600)
    service.claims.queued()
    assert service.claims.backlogged
    await queue(service, 25)
    async with service.claiming():
        await service.carrier.submitted(25)
        await until(lambda: not service.claims.backlogged)


async def test_a_freed_slot_wakes_the_loop_while_messages_wait() -> None:
    service = Service(poll_s=3_600)
    taken = [service.carrier.try_reserve() for _ in range(10)]
    await queue(service, 1)
    service.claims.queued()
    async with service.claiming():
        await asyncio.sleep(0)
        assert service.outbox.claim_limits == []
        assert taken[0] is not None
        taken[0].release()
        await service.carrier.submitted(1)
        for slot in taken[1:]:
            assert slot is not None
            slot.release()


async def test_a_carrier_that_comes_up_gets_what_waits() -> None:
    service = Service(poll_s=3_600)
    service.carrier.go_down()
    await queue(service, 3)
    service.claims.queued()
    async with service.claiming():
        await asyncio.sleep(0)
        assert service.outbox.claim_limits == []
        service.carrier.come_up()
        await service.carrier.submitted(3)


async def test_a_database_that_is_away_is_reported_and_asked_again() -> None:
    service = Service()
    service.outbox.claim_failures = [unavailable(), unavailable()]
    await queue(service, 1)
    async with service.claiming():
        await service.carrier.submitted(1)
    assert service.log.lines == [("upkeep_failed", "claims", "DATABASE_UNAVAILABLE")] * 2
    assert service.carrier.free_slots == 10


async def test_a_look_that_breaks_is_reported_and_does_not_end_the_loop() -> None:
    service = Service()
    service.outbox.claim_failures = [RuntimeError("bug")]
    await queue(service, 1)
    async with service.claiming():
        await service.carrier.submitted(1)
    assert service.log.lines == [("upkeep_crashed", "claims", "bug")]
    assert service.carrier.free_slots == 10


async def test_the_next_due_message_is_not_overslept() -> None:
    service = Service(poll_s=3_600)
    now = datetime.now(UTC)
    service.outbox.book.now = now
    due = now + timedelta(milliseconds=50)
    await service.outbox.accept([acceptance(now=now, scheduled_time=due)])
    async with service.claiming():
        await until(lambda: len(service.outbox.claim_limits) >= 1)
        service.outbox.book.now = due
        await service.carrier.submitted(1)


async def test_what_none_of_the_carriers_with_room_may_take_is_no_reason_to_look_again_at_once() -> None:
    service = Service(poll_s=3_600)
    asked: list[Collection[str]] = []

    async def next_due(route: str = DEFAULT_ROUTE, carriers: Collection[str] = ()) -> float | None:
        asked.append(carriers)
        return None

    service.outbox.seconds_to_next_due = next_due  # type: ignore[method-assign]  # hears the question
    async with service.claiming():
        await until(lambda: bool(asked))
    assert asked == [{service.carrier.name}]


async def test_claims_that_are_made_are_submitted_also_when_the_loop_is_stopped() -> None:
    service = Service(poll_s=3_600)
    asked = asyncio.Event()

    async def slow_look(route: str = DEFAULT_ROUTE, carriers: Collection[str] = ()) -> float | None:
        asked.set()
        await asyncio.Event().wait()
        return None

    service.outbox.seconds_to_next_due = slow_look  # type: ignore[method-assign]  # stands still there
    await queue(service, 2)
    async with service.claiming():
        await asked.wait()
    assert states(service) == {State.ACCEPTED}
