"""One attempt: submitted, recorded, told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from messaging_service.carriers.domain.submission import LateOutcome, Outcome, OutcomeKind, Submission
from messaging_service.carriers.route_carriers import RouteSlot
from messaging_service.sending import attempts as module
from messaging_service.sending.attempts import LONGEST_RETRY_S
from messaging_service.sending.outbox import Accepted, Claim, Settlement
from messaging_service.shared.domain.message import outbox_id
from messaging_service.shared.domain.money import FREE
from messaging_service.shared.domain.states import State
from service_kit.access.principal import AccessMode
from service_kit.errors import Kind, ServiceError
from tests.contract.sms_examples import TWO_UNITS, acceptance, accepted, not_taken, refused, unanswered
from tests.doubles.in_memory_outbox import LEASE_S
from tests.doubles.messaging_fakes import unavailable, until
from tests.unit.messaging.sending.wired_service import CLAIM_S, Service

pytestmark = pytest.mark.timeout(10)


async def claimed(service: Service, *, tries: int = 0, text: str = "Habari") -> tuple[Claim, RouteSlot]:
    slot = service.carriers.try_reserve()
    assert slot is not None
    (answer,) = await service.outbox.accept([acceptance(claimed=True, message=text)])
    assert isinstance(answer, Accepted)
    return Claim(answer.message, 1, tries, service.monotonic + CLAIM_S), slot


async def run(service: Service, outcome: Outcome, *, tries: int = 0) -> State:
    service.carrier.answer = lambda _: outcome
    claim, slot = await claimed(service, tries=tries)
    await service.attempts.run(claim, slot, service.carriers, service.claims.queued)
    assert service.carrier.free_slots == 10
    return service.outbox.book.messages[claim.message.id].state


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (accepted(), State.ACCEPTED),
        (refused(), State.REFUSED),
        (not_taken(), State.READY),
        (unanswered(), State.UNKNOWN),
    ],
    ids=["accepted", "refused", "not taken", "unknown"],
)
async def test_the_answer_of_the_carrier_is_recorded_and_the_slot_given_back(outcome: Outcome, state: State) -> None:
    assert await run(Service(), outcome) is state


async def test_the_carrier_gets_the_cut_that_was_priced() -> None:
    service = Service()
    claim, slot = await claimed(service, text=TWO_UNITS)
    await service.attempts.run(claim, slot, service.carriers, service.claims.queued)
    (submission,) = service.carrier.submissions
    assert submission.message_id == outbox_id(claim.message.id)
    assert (submission.recipient, submission.sender_id) == (claim.message.recipient, claim.message.sender_id)
    assert submission.segmentation.units == claim.message.units == 2
    assert "".join(submission.segmentation.segments) == TWO_UNITS


async def test_who_waits_is_told() -> None:
    service = Service()
    claim, slot = await claimed(service)
    outcome = service.outcomes.expect(claim.message.id)
    await service.attempts.run(claim, slot, service.carriers, service.claims.queued)
    assert outcome.result().state is State.ACCEPTED


@pytest.mark.parametrize("late_s", [0.0, 1.0])
async def test_no_byte_leaves_under_a_claim_that_is_over(late_s: float) -> None:
    service = Service()
    claim, slot = await claimed(service)
    service.monotonic += CLAIM_S + late_s
    await service.attempts.run(claim, slot, service.carriers, service.claims.queued)
    assert service.carrier.submissions == []
    assert service.carrier.free_slots == 10
    assert service.outbox.settled[0].outcome.kind is OutcomeKind.NOT_TAKEN
    assert service.outbox.book.messages[claim.message.id].state is State.READY


async def test_a_test_message_that_a_live_route_was_given_is_not_submitted() -> None:
    service = Service()
    slot = service.carriers.try_reserve()
    assert slot is not None
    free = acceptance(claimed=True, price=FREE, mode=AccessMode.TEST)
    (answer,) = await service.outbox.accept([free])
    assert isinstance(answer, Accepted)
    claim = Claim(answer.message, 1, 0, service.monotonic + CLAIM_S)
    await service.attempts.run(claim, slot, service.carriers, service.claims.queued)
    assert service.carrier.submissions == []
    assert service.outbox.book.messages[claim.message.id].state is State.READY


async def test_a_claim_is_good_until_just_before_its_fence() -> None:
    service = Service()
    claim, slot = await claimed(service)
    service.monotonic += CLAIM_S - 0.5
    await service.attempts.run(claim, slot, service.carriers, service.claims.queued)
    (submission,) = service.carrier.submissions
    assert submission.send_within_s == pytest.approx(0.5)


async def test_the_pause_before_the_next_try_grows_and_is_bounded() -> None:
    pauses: list[list[float]] = []
    for tries in (0, 1, 4, 100):
        settled: list[Settlement] = []
        for _ in range(20):
            service = Service()
            await run(service, not_taken(), tries=tries)
            settled += service.outbox.settled
        pauses.append([settlement.retry_in_s for settlement in settled])
    ceilings = [0.5, 1.0, 8.0, LONGEST_RETRY_S]
    for drawn, ceiling in zip(pauses, ceilings, strict=True):
        assert all(ceiling / 2 <= pause <= ceiling for pause in drawn)
        assert len(set(drawn)) > 1


@pytest.mark.parametrize("error", [unavailable(), ServiceError(Kind.OVERLOADED, "OVERLOADED", "full")])
async def test_an_outcome_is_recorded_again_until_the_database_is_back(error: ServiceError) -> None:
    service = Service()
    service.outbox.settle_failures = [error, error]
    assert await run(service, accepted()) is State.ACCEPTED
    assert service.outbox.settle_failures == []
    assert service.log.lines == []


async def test_an_outcome_that_cannot_be_recorded_in_time_is_reported() -> None:
    service = Service(settle_within_s=0.0)
    service.outbox.settle_failures = [unavailable()]
    claim, slot = await claimed(service)
    await service.attempts.run(claim, slot, service.carriers, service.claims.queued)
    assert service.log.lines == [("settlement_lost", outbox_id(claim.message.id), "accepted")]
    assert service.outbox.book.messages[claim.message.id].state is State.SUBMITTING


async def test_an_attempt_that_breaks_is_reported_and_gives_its_slot_back() -> None:
    service = Service()

    def broken(_: Submission) -> Outcome:
        raise RuntimeError("bug")

    service.carrier.answer = broken
    claim, slot = await claimed(service)
    service.attempts.start(service.attempts.run(claim, slot, service.carriers, service.claims.queued))
    await service.attempts.drain()
    assert [type(error) for error in service.log.errors] == [RuntimeError]
    assert service.carrier.free_slots == 10


async def test_a_settlement_that_breaks_is_reported_and_tried_again() -> None:
    service = Service()
    service.outbox.settle_failures = [RuntimeError("bug")]
    claim, slot = await claimed(service)
    await service.attempts.run(claim, slot, service.carriers, service.claims.queued)
    assert service.log.lines == [("settlement_crashed", outbox_id(claim.message.id), "bug")]
    assert service.outbox.book.messages[claim.message.id].state is State.ACCEPTED


async def test_a_settlement_that_always_breaks_is_given_up_in_time() -> None:
    service = Service(settle_within_s=0.0)
    service.outbox.settle_failures = [RuntimeError("bug")]
    claim, slot = await claimed(service)
    await service.attempts.run(claim, slot, service.carriers, service.claims.queued)
    assert [line[0] for line in service.log.lines] == ["settlement_crashed", "settlement_lost"]


async def test_an_outcome_that_others_called_unknown_meanwhile_is_recorded_as_a_late_one() -> None:
    told: list[LateOutcome] = []

    async def late(outcomes: Sequence[LateOutcome]) -> None:
        told.extend(outcomes)

    service = Service(late=late)
    service.outbox.settle_failures = [unavailable()]
    claim, slot = await claimed(service)
    service.outbox.book.now += timedelta(seconds=LEASE_S + 1)
    await service.outbox.sweep()
    await service.attempts.run(claim, slot, service.carriers, service.claims.queued)
    (outcome,) = told
    assert (outcome.message_id, outcome.epoch) == (outbox_id(claim.message.id), 1)
    assert outcome.outcome.kind is OutcomeKind.ACCEPTED


async def test_an_outcome_of_a_process_that_stood_still_is_left_to_the_receipt() -> None:
    async def late(_: Sequence[LateOutcome]) -> None:
        pytest.fail("the database was there all the time")

    service = Service(late=late)
    claim, slot = await claimed(service)
    service.outbox.book.now += timedelta(seconds=LEASE_S + 1)
    await service.outbox.sweep()
    await service.attempts.run(claim, slot, service.carriers, service.claims.queued)
    assert service.outbox.book.messages[claim.message.id].state is State.UNKNOWN


async def test_an_outcome_that_is_unknown_itself_is_no_late_one() -> None:
    async def late(_: Sequence[LateOutcome]) -> None:
        pytest.fail("there is nothing to tell")

    service = Service(late=late)
    assert await run(service, unanswered()) is State.UNKNOWN


async def test_an_outcome_of_a_claim_that_was_lost_is_told_as_it_stands() -> None:
    service = Service()
    claim, slot = await claimed(service)
    service.outbox.book.queue[claim.message.id].epoch = 7
    await service.attempts.run(claim, slot, service.carriers, service.claims.queued)
    assert service.outbox.book.messages[claim.message.id].state is State.SUBMITTING


async def test_drain_waits_for_attempts_and_for_those_that_they_start() -> None:
    service = Service()
    ended: list[str] = []
    release = asyncio.Event()

    async def inner() -> None:
        await release.wait()
        ended.append("inner")

    async def outer() -> None:
        service.attempts.start(inner())
        ended.append("outer")

    service.attempts.start(outer())
    draining = asyncio.ensure_future(service.attempts.drain())
    await until(lambda: bool(ended))
    assert not draining.done()
    release.set()
    await draining
    assert ended == ["outer", "inner"]


def test_the_first_pause_is_short() -> None:
    assert module.FIRST_RETRY_S < LONGEST_RETRY_S
