"""Sending one message, from request to answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messaging_service.carriers.domain.submission import Outcome, Submission
from messaging_service.sending import outcomes as outcomes_module
from messaging_service.shared.domain.states import Billing, State
from service_kit.errors import Kind, ServiceError
from tests.contract.sms_examples import ACCOUNT, PRICE, accepted, not_taken, refused, unanswered
from tests.doubles.messaging_fakes import unavailable, until
from tests.doubles.scripted_carrier import ScriptedCarrier
from tests.unit.messaging.sending.wired_service import Service

pytestmark = pytest.mark.timeout(10)


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes_module, "POLL_S", 0.001)


class Gate:
    """An answer that the test lets through."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def __call__(self, submission: Submission) -> Outcome:
        await self.opened.wait()
        return accepted()


async def failure(service: Service, **changes: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await service.send(**changes)
    await service.attempts.drain()
    assert service.outbox.book.messages == {}
    assert service.outbox.book.accounts.get(ACCOUNT) is None
    assert service.carrier.submissions == []
    assert service.carrier.free_slots in (0, 10)
    return caught.value


async def test_a_message_is_priced_recorded_submitted_and_charged() -> None:
    service = Service()
    sent = await service.send(message_id="msg123", app_id="app7")
    assert not sent.replayed
    assert (sent.message.state, sent.message.billing) == (State.ACCEPTED, Billing.CHARGED)
    assert (sent.message.price, sent.message.client_message_id) == (PRICE, "msg123")
    assert service.prices.questions == [(ACCOUNT, "app7", None)]
    assert service.carrier.free_slots == 10


async def test_a_message_without_an_id_gets_its_own() -> None:
    service = Service()
    first, second = await service.send(), await service.send()
    assert first.message.client_message_id == f"outbox_{first.message.id.hex}"
    assert first.message.id != second.message.id


async def test_a_refusal_of_the_carrier_is_an_answer() -> None:
    service = Service(carrier=ScriptedCarrier(answer=lambda _: refused()))
    message = (await service.send()).message
    assert (message.state, message.error_code, message.billing) == (
        State.REFUSED,
        "INVALID_RECIPIENT",
        Billing.RELEASED,
    )


async def test_a_silent_carrier_leaves_the_outcome_open() -> None:
    service = Service(carrier=ScriptedCarrier(answer=lambda _: unanswered()))
    assert (await service.send()).message.state is State.UNKNOWN


async def test_the_wait_is_bounded_and_the_message_goes_on() -> None:
    gate = Gate()
    service = Service(carrier=ScriptedCarrier(answer=gate))
    message = (await service.send(wait_s=0.01)).message
    assert message.state is State.SUBMITTING
    gate.opened.set()
    await service.attempts.drain()
    assert service.outbox.book.messages[message.id].state is State.ACCEPTED


async def test_no_wait_means_no_wait() -> None:
    gate = Gate()
    service = Service(carrier=ScriptedCarrier(answer=gate))
    assert (await service.send(wait_s=0)).message.state is State.SUBMITTING
    gate.opened.set()
    await service.attempts.drain()


async def test_a_caller_that_leaves_does_not_stop_its_message() -> None:
    gate = Gate()
    service = Service(carrier=ScriptedCarrier(answer=gate))
    sending = asyncio.ensure_future(service.send())
    await service.carrier.submitted(1)
    sending.cancel()
    await asyncio.wait({sending})
    gate.opened.set()
    await service.attempts.drain()
    (message,) = service.outbox.book.messages.values()
    assert message.state is State.ACCEPTED
    assert service.carrier.free_slots == 10


async def test_a_caller_that_leaves_before_the_commit_leaves_a_whole_message_behind() -> None:
    service = Service()
    sending = asyncio.ensure_future(service.send())
    await until(lambda: bool(service.prices.questions))
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.wait({sending})
    await service.attempts.drain()
    assert {message.state for message in service.outbox.book.messages.values()} <= {State.ACCEPTED}
    assert len(service.carrier.submissions) == len(service.outbox.book.messages)
    assert service.carrier.free_slots == 10
    assert service.log.errors == []


async def test_the_same_id_again_is_answered_from_the_record() -> None:
    service = Service()
    first = await service.send(message_id="msg123")
    again = await service.send(message_id="msg123")
    assert again.replayed
    assert again.message == first.message
    assert len(service.carrier.submissions) == 1
    assert service.carrier.free_slots == 10


async def test_what_is_on_record_is_answered_without_price_or_carrier() -> None:
    service = Service()
    first = await service.send(message_id="msg123")
    service.prices.failure = unavailable()
    again = await service.send(message_id="msg123")
    service.carrier.go_down()
    once_more = await service.send(message_id="msg123")
    assert again.replayed
    assert once_more.replayed
    assert again.message == once_more.message == first.message
    for message_id, text in (("msg123", "another text"), ("msg124", "Your OTP is 123456.")):
        with pytest.raises(ServiceError) as caught:
            await service.send(message_id=message_id, message=text)
        assert caught.value.kind is Kind.UNAVAILABLE


async def test_a_repetition_that_overtakes_the_first_waits_with_it() -> None:
    gate = Gate()
    service = Service(carrier=ScriptedCarrier(answer=gate))
    first = asyncio.ensure_future(service.send(message_id="msg123"))
    await service.carrier.submitted(1)
    second = asyncio.ensure_future(service.send(message_id="msg123"))
    await until(lambda: len(service.prices.questions) == 2)
    gate.opened.set()
    assert (await first).message == (await second).message
    assert (await second).replayed
    assert len(service.carrier.submissions) == 1


async def test_a_reused_id_is_refused_and_sends_nothing() -> None:
    service = Service()
    await service.send(message_id="msg123")
    with pytest.raises(ServiceError) as caught:
        await service.send(message_id="msg123", message="Other.")
    assert caught.value.reason == "MESSAGE_ID_REUSED"
    assert len(service.carrier.submissions) == 1
    assert service.carrier.free_slots == 10


async def test_a_hundred_at_once_with_one_id_send_once() -> None:
    service = Service()
    answers = await asyncio.gather(*(service.send(message_id="msg123") for _ in range(100)))
    assert sum(not answer.replayed for answer in answers) == 1
    assert len({answer.message.id for answer in answers}) == 1
    await service.attempts.drain()
    assert len(service.carrier.submissions) == 1
    assert service.carrier.free_slots == 10


async def test_a_bad_request_costs_nothing() -> None:
    service = Service()
    assert (await failure(service, message="")).kind is Kind.INVALID
    assert service.prices.questions == []


@pytest.mark.parametrize("reason", ["NO_PRICE", "PRICING_UNAVAILABLE"])
async def test_nothing_is_sent_unpriced(reason: str) -> None:
    service = Service()
    service.prices.failure = unavailable(reason)
    assert (await failure(service)).reason == reason


async def test_a_carrier_that_is_down_is_waited_for_and_then_named() -> None:
    service = Service()
    service.carrier.go_down()
    error = await failure(service)
    assert (error.kind, error.reason) == (Kind.UNAVAILABLE, "CARRIER_UNAVAILABLE")
    assert error.retry_after is not None
    assert service.prices.questions == []


async def test_a_carrier_that_comes_up_within_the_grace_is_used() -> None:
    service = Service()
    service.send_sms._limits = replace(service.send_sms._limits, carrier_grace_s=5.0)
    service.carrier.go_down()
    sending = asyncio.ensure_future(service.send())
    await asyncio.sleep(0)
    service.carrier.come_up()
    assert (await sending).message.state is State.ACCEPTED


async def test_a_database_that_is_away_stores_and_sends_nothing() -> None:
    service = Service()
    service.outbox.accept_failures = [unavailable()]
    assert (await failure(service)).reason == "DATABASE_UNAVAILABLE"


async def test_a_request_that_cannot_be_stored_fails_at_once_and_gives_its_slot_back() -> None:
    service = Service()
    service.outbox.accept_failures = [RuntimeError("bug")]
    with pytest.raises(RuntimeError, match="bug"):
        await service.send()
    await service.attempts.drain()
    assert service.carrier.free_slots == 10


async def test_a_failure_that_nobody_waits_for_any_more_still_gives_the_slot_back() -> None:
    service = Service()
    service.outbox.accept_failures = [RuntimeError("bug")]
    sending = asyncio.ensure_future(service.send())
    await until(lambda: service.carrier.free_slots < 10)
    sending.cancel()
    await asyncio.wait({sending})
    await service.attempts.drain()
    assert service.outbox.accept_failures == []
    assert service.carrier.free_slots == 10
    assert [str(error) for error in service.log.errors] == ["bug"]


async def test_without_a_free_slot_the_message_is_queued_and_its_caller_waits() -> None:
    gate = Gate()
    service = Service(carrier=ScriptedCarrier(window=1, answer=gate))
    first = asyncio.ensure_future(service.send())
    await service.carrier.submitted(1)
    async with service.claiming():
        second = asyncio.ensure_future(service.send())
        await until(lambda: len(service.outbox.book.messages) == 2)
        assert State.READY in {message.state for message in service.outbox.book.messages.values()}
        gate.opened.set()
        assert (await first).message.state is State.ACCEPTED
        assert (await second).message.state is State.ACCEPTED


async def test_while_messages_wait_new_ones_wait_behind_them() -> None:
    service = Service()
    service.claims.queued()
    sent = await service.send(wait_s=0)
    assert sent.message.state is State.READY
    assert service.carrier.submissions == []


async def test_a_message_that_was_not_taken_is_tried_again_while_its_caller_waits() -> None:
    answers = [not_taken(), accepted()]
    service = Service(carrier=ScriptedCarrier(answer=lambda _: answers.pop(0)))
    service.outbox.book.now = datetime.now(UTC)
    async with service.claiming():
        sending = asyncio.ensure_future(service.send())
        await until(lambda: any(row.tries for row in service.outbox.book.queue.values()))
        service.outbox.book.now += timedelta(seconds=60)
        assert (await sending).message.state is State.ACCEPTED
    assert len(service.carrier.submissions) == 2


async def test_a_future_message_is_recorded_at_once_at_the_price_of_its_time_with_the_carrier_down() -> None:
    service = Service()
    service.carrier.go_down()
    time = datetime.now(UTC) + timedelta(days=30)
    sent = await service.send(scheduled_time=time)
    assert sent.message.state is State.SCHEDULED
    assert service.prices.questions == [(ACCOUNT, None, time)]


async def test_a_past_schedule_goes_through_the_queue_at_todays_price() -> None:
    service = Service()
    async with service.claiming():
        sent = await service.send(scheduled_time=datetime(2024, 12, 20, 12, tzinfo=UTC))
    assert sent.message.state is State.ACCEPTED
    assert service.prices.questions == [(ACCOUNT, None, None)]


async def test_the_clock_of_the_queue_decides_what_is_due_not_the_clock_of_the_process() -> None:
    service = Service()
    service.outbox.book.now = datetime.now(UTC) + timedelta(hours=2)
    async with service.claiming():
        sent = await service.send(scheduled_time=datetime.now(UTC) + timedelta(hours=1))
    assert sent.message.state is State.ACCEPTED


async def test_a_claim_that_waited_too_long_for_its_commit_is_not_used() -> None:
    service = Service()
    original = service.outbox.accept

    async def slow(batch: Any) -> Any:
        answers = await original(batch)
        service.monotonic += 60
        return answers

    service.acceptances._flush = slow
    sent = await service.send(wait_s=0)
    await service.attempts.drain()
    assert service.carrier.submissions == []
    assert service.outbox.book.messages[sent.message.id].state is State.READY


# Resending.


async def failed(service: Service) -> Any:
    service.carrier.answer = lambda _: refused()
    message = (await service.send()).message
    service.carrier.answer = lambda _: accepted()
    return message.id


async def test_a_resend_is_a_new_attempt_that_its_caller_waits_for() -> None:
    service = Service(poll_s=3_600)
    message_id = await failed(service)
    async with service.claiming():
        message = await service.resend_sms(message_id, 5.0, accounts=None)
    assert (message.state, message.retry_count, message.billing) == (State.ACCEPTED, 1, Billing.CHARGED)


async def test_a_resend_whose_wait_is_over_shows_the_message_as_it_stands() -> None:
    service = Service()
    message_id = await failed(service)
    message = await service.resend_sms(message_id, 0, accounts=None)
    assert (message.state, message.retry_count) == (State.READY, 1)
    assert service.claims.backlogged


async def test_a_resend_that_is_refused_wakes_nobody() -> None:
    service = Service()
    sent = await service.send()
    with pytest.raises(ServiceError) as caught:
        await service.resend_sms(sent.message.id, 5.0, accounts=None)
    assert caught.value.reason == "NOT_FAILED"
    assert not service.claims.backlogged


async def test_a_resend_without_a_carrier_changes_nothing() -> None:
    service = Service()
    message_id = await failed(service)
    service.carrier.go_down()
    with pytest.raises(ServiceError) as caught:
        await service.resend_sms(message_id, 5.0, accounts=None)
    assert caught.value.reason == "CARRIER_UNAVAILABLE"
    stored = await service.outbox.get(message_id, None)
    assert stored is not None
    assert (stored.state, stored.retry_count) == (State.REFUSED, 0)
