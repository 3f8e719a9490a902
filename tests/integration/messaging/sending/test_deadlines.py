"""A caller with a short deadline hears what was recorded instead of running into the deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from messaging_service.carriers.domain.submission import Outcome, Submission
from tests.contract.sms_examples import accepted, refused
from tests.integration.messaging.running_service import Running, message
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)

SHORT_S = 1.5
"""Far shorter than the 10 s for which the requests of these tests ask to wait."""


class SilentCarrier:
    """Answers no submission before the test is over."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.over = asyncio.Event()

    async def answer(self, submission: Submission) -> Outcome:
        self.asked.set()
        await self.over.wait()
        return accepted()


@pytest.fixture
async def silent() -> AsyncIterator[SilentCarrier]:
    carrier = SilentCarrier()
    yield carrier
    carrier.over.set()


async def test_a_send_answers_pending_before_the_callers_deadline(service: Running, silent: SilentCarrier) -> None:
    service.carrier.answer = silent.answer
    answer = await service.sms.SendSms(message(message_id="m"), timeout=SHORT_S)
    assert silent.asked.is_set()
    assert (answer.entry.status, answer.entry.message_id) == (pb.SMS_STATUS_PENDING, "m")
    assert (await service.entry(answer.entry.outbox_id)).status == pb.SMS_STATUS_PENDING
    again = await service.sms.SendSms(message(message_id="m"), timeout=SHORT_S)
    assert (again.replayed, again.entry.outbox_id) == (True, answer.entry.outbox_id)
    assert len(service.carrier.submissions) == 1


async def test_a_resend_answers_pending_before_the_callers_deadline(service: Running, silent: SilentCarrier) -> None:
    service.carrier.answer = lambda _: refused()
    entry = (await service.send()).entry
    service.carrier.answer = silent.answer
    request = pb.ResendSmsRequest(outbox_id=entry.outbox_id, outcome_wait={"seconds": 10})  # type: ignore[arg-type]
    resent = (await service.sms.ResendSms(request, timeout=SHORT_S)).entry
    assert silent.asked.is_set()
    assert (resent.status, resent.retry_count) == (pb.SMS_STATUS_PENDING, 1)


async def test_each_item_of_a_batch_is_answered_before_the_callers_deadline(
    service: Running, silent: SilentCarrier
) -> None:
    service.carrier.answer = silent.answer
    # Two share an id: the second waits for what becomes of the first.
    items = [message(message_id="a"), message(message_id="b"), message(message_id="b", message="Other.")]
    results: dict[int, pb.SendSmsBatchResult] = {}
    async for response in service.sms.SendSmsBatch(pb.SendSmsBatchRequest(items=items), timeout=SHORT_S):
        results |= {result.index: result for result in response.results}
    assert silent.asked.is_set()
    assert [results[place].response.entry.status for place in (0, 1)] == [pb.SMS_STATUS_PENDING] * 2
    assert results[2].error.reason == "MESSAGE_ID_REUSED"
