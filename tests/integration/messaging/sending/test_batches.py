"""Many messages in one call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from messaging_service.carriers.domain.submission import Outcome, Submission
from messaging_service.sending.outbox import Outbox
from messaging_service.shared.domain.message import Message
from tests.contract.sms_examples import accepted, refused
from tests.integration.messaging.running_service import DEADLINE_S, Running, message, service_on
from tests.system.messaging_database import rows, until_found
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)

UNIT = 600_000


class Stuck:
    """A carrier that answers at once, but for the messages that hold a word."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.release = asyncio.Event()

    async def __call__(self, submission: Submission) -> Outcome:
        if self.word in "".join(submission.segmentation.segments):
            await self.release.wait()
        return accepted()


async def test_every_item_is_answered_once_as_it_would_be_alone(service: Running, database_url: str) -> None:
    await rows(database_url, "INSERT INTO account (id, mode) VALUES ('broke', 'prepaid')")
    service.pricing.failures = {"unpriced": "NO_PRICE"}
    service.carrier.answer = lambda submission: (
        refused() if "refuse" in submission.segmentation.segments[0] else accepted()
    )
    items = [
        message(message_id="a"),
        message(recipient_phone_number="0712345678"),
        message(user_id="broke"),
        message(user_id="unpriced"),
        message(message="refuse me"),
        message(message_id="a"),
        message(message_id="a", message="Other."),
        message(user_id="another", tags=["x"]),
    ]
    answers = await service.batch(items)
    assert set(answers) == set(range(len(items)))
    reasons = {index: answer.error.reason for index, answer in answers.items() if answer.HasField("error")}
    assert reasons == {
        1: "INVALID_ARGUMENT",
        2: "INSUFFICIENT_FUNDS",
        3: "NO_PRICE",
        6: "MESSAGE_ID_REUSED",
    }
    assert answers[2].error.metadata["shortfall"] == "0.6"
    assert answers[4].response.entry.status == pb.SMS_STATUS_FAILED
    assert {answers[0].response.replayed, answers[5].response.replayed} == {True, False}
    assert answers[0].response.entry.outbox_id == answers[5].response.entry.outbox_id
    assert await service.money() == (-UNIT, 0)
    assert await service.money("another") == (-UNIT, 0)
    assert await service.money("broke") == (0, 0)


async def test_a_thousand_items_are_all_sent_in_few_commits(service: Running, database_url: str) -> None:
    answers = await service.batch([message(message_id=f"m{n}", user_id=f"user{n % 7}") for n in range(1_000)])
    assert {answer.response.entry.status for answer in answers.values()} == {pb.SMS_STATUS_SENT}
    assert len({answer.response.entry.outbox_id for answer in answers.values()}) == 1_000
    assert all(answers[n].response.entry.message_id == f"m{n}" for n in range(1_000))
    assert len(service.carrier.submissions) == 1_000
    (total,) = await rows(database_url, "SELECT sum(posted), sum(held) FROM account")
    assert total == (-600, 0)


async def test_of_several_meanings_of_one_message_id_the_first_counts_whichever_could_go_sooner(
    database_url: str,
) -> None:
    later = Timestamp()
    later.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    async with service_on(database_url, carrier_grace_s=DEADLINE_S) as service:
        service.carrier.go_down()
        # Those that are due wait for the carrier; the scheduled one could be recorded at once.
        due, scheduled = message(message_id="a"), message(message_id="a", scheduled_time=later)
        batch = asyncio.ensure_future(service.batch([due, scheduled, due, message(message_id="b")]))
        witness = await service.send(user_id="witness", scheduled_time=later)
        assert witness.entry.delivery_state == pb.DELIVERY_STATE_SCHEDULED
        service.carrier.come_up()
        answers = await batch
    assert answers[0].response.entry.status == answers[3].response.entry.status == pb.SMS_STATUS_SENT
    assert answers[1].error.reason == "MESSAGE_ID_REUSED"
    assert answers[2].response.replayed
    assert answers[2].response.entry.outbox_id == answers[0].response.entry.outbox_id


async def test_a_message_id_whose_first_meaning_was_not_recorded_is_free_for_the_second(service: Running) -> None:
    answers = await service.batch([message(message_id="a", sender_id="?"), message(message_id="a")])
    assert answers[0].error.reason == "INVALID_ARGUMENT"
    assert answers[1].response.entry.status == pb.SMS_STATUS_SENT
    assert not answers[1].response.replayed


async def test_a_thousand_of_the_largest_messages_fit_in_one_call(service: Running, database_url: str) -> None:
    largest = message(
        message="Ω" * 1_530,
        message_name="Ω" * 100,
        tags=["😀" * 50] * 20,
        custom_data_json=json.dumps({"x": "y" * 4_080}),
        outcome_wait=Duration(),
    )
    items = [pb.SendSmsRequest(message_id=f"{n:04}" + "😀" * 124) for n in range(1_000)]
    for item in items:
        item.MergeFrom(largest)
    sizes: list[int] = []
    async for response in service.sms.SendSmsBatch(pb.SendSmsBatchRequest(items=items)):
        assert all(result.HasField("response") for result in response.results), response.results[0].error
        sizes.append(len(response.results))
    assert sum(sizes) == 1_000
    assert max(sizes) <= 256
    assert await rows(database_url, "SELECT count(*), min(units) FROM message") == [(1_000, 10)]


async def test_a_slow_item_does_not_hold_back_the_others(service: Running) -> None:
    stuck = Stuck("slow")
    service.carrier.answer = stuck
    items = [message(message="slow one"), *(message() for _ in range(9))]
    seen: set[int] = set()
    async with asyncio.timeout(DEADLINE_S):
        async for response in service.sms.SendSmsBatch(pb.SendSmsBatchRequest(items=items)):
            seen |= {result.index for result in response.results}
            if len(seen) == 9:
                assert seen == set(range(1, 10))
                stuck.release.set()
    assert seen == set(range(10))


async def test_each_item_has_its_own_wait(service: Running) -> None:
    stuck = Stuck("OTP")
    service.carrier.answer = stuck
    items = [message(outcome_wait=Duration()), message(outcome_wait=Duration(nanos=50_000_000)), message()]
    states: dict[int, int] = {}
    async for response in service.sms.SendSmsBatch(pb.SendSmsBatchRequest(items=items)):
        states |= {result.index: result.response.entry.status for result in response.results}
        if len(states) == 2:
            assert states == {0: pb.SMS_STATUS_PENDING, 1: pb.SMS_STATUS_PENDING}
            stuck.release.set()
    assert states[2] == pb.SMS_STATUS_SENT


async def test_a_batch_that_runs_out_of_time_is_read_with_few_queries(database_url: str) -> None:
    queries: list[int] = []

    def counting(outbox: Outbox) -> Outbox:
        read = outbox.get_many

        async def get_many(ids: Sequence[UUID]) -> Sequence[Message]:
            queries.append(len(ids))
            return await read(ids)

        outbox.get_many = get_many  # type: ignore[method-assign, assignment]
        return outbox

    async with service_on(database_url, outbox=counting) as service:
        stuck = Stuck("OTP")
        service.carrier.answer = stuck
        answers = await service.batch([message(outcome_wait=Duration(nanos=100_000_000)) for _ in range(1_000)])
        assert {answer.response.entry.status for answer in answers.values()} == {pb.SMS_STATUS_PENDING}
        stuck.release.set()
    assert 0 < len(queries) < 100


async def test_a_client_that_leaves_does_not_stop_what_was_accepted(service: Running, database_url: str) -> None:
    stuck = Stuck("OTP")
    service.carrier.answer = stuck
    call = service.sms.SendSmsBatch(pb.SendSmsBatchRequest(items=[message() for _ in range(5)]))
    await service.carrier.submitted(5)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.read()
    # The server has noticed when it takes the next call.
    assert len(await service.entries()) == 5
    stuck.release.set()
    await until_found(database_url, "SELECT 1 WHERE NOT EXISTS (SELECT FROM message WHERE state <> 'accepted')")
    assert await service.money() == (-5 * UNIT, 0)
    await service.all_slots_back()


async def test_a_client_that_leaves_while_answers_stream_leaves_nothing_behind(
    service: Running, database_url: str
) -> None:
    stuck = Stuck("slow")
    service.carrier.answer = stuck
    call = service.sms.SendSmsBatch(
        pb.SendSmsBatchRequest(items=[message(), *(message(message="slow") for _ in range(4))])
    )
    await call.read()
    await service.carrier.submitted(5)
    call.cancel()
    stuck.release.set()
    await until_found(database_url, "SELECT 1 WHERE NOT EXISTS (SELECT FROM message WHERE state <> 'accepted')")
    assert (await service.send()).entry.status == pb.SMS_STATUS_SENT


async def test_a_batch_larger_than_the_window_is_sent_through_the_queue(database_url: str) -> None:
    async with service_on(database_url, window=4) as service:
        answers = await service.batch([message() for _ in range(100)])
    assert {answer.response.entry.status for answer in answers.values()} == {pb.SMS_STATUS_SENT}


async def test_high_priority_overtakes_what_waits(database_url: str) -> None:
    async with service_on(database_url, window=1) as service:
        stuck = Stuck("first")
        service.carrier.answer = stuck
        first = asyncio.ensure_future(service.send(message="first"))
        await service.carrier.submitted(1)
        normal = [message(message=f"normal {n}", outcome_wait=Duration()) for n in range(20)]
        high = [message(message=f"high {n}", priority=pb.PRIORITY_HIGH, outcome_wait=Duration()) for n in range(20)]
        await service.batch(normal)
        await service.batch(high)
        stuck.release.set()
        await first
        submissions = await service.carrier.submitted(41)
        words = [submission.segmentation.segments[0].split()[0] for submission in submissions[1:]]
        assert words[:20].count("high") >= 17
