"""Messages of a file on their way: bounded, tried again under the same ids, and stopped in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from io import StringIO
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import aio

from messaging_service.sending.domain.validation import SendDraft
from sms_cli.batch import batch_sender
from sms_cli.batch.batch_files import BatchRow
from sms_cli.batch.batch_results import Results
from sms_cli.batch.batch_sender import BatchSender
from tukupay.sms.common.v1 import errors_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

DEADLINE_S = 10.0
Answer = pb.SendSmsResponse | errors_pb2.ItemError | None


def rows(count: int) -> Iterator[BatchRow]:
    for number in range(count):
        draft = SendDraft("user1", "+254712345678", "Hello", "TUKUPAY", message_id=f"m{number}")
        yield BatchRow(number + 2, draft)


def sent(item: pb.SendSmsRequest) -> Answer:
    entry = pb.OutboxEntry(
        outbox_id=f"outbox_{item.message_id}",
        status=pb.SMS_STATUS_SENT,
        billing_state=pb.BILLING_STATE_CHARGED,
        total_cost_micros=600_000,
    )
    return pb.SendSmsResponse(entry=entry)


def broken(code: grpc.StatusCode) -> aio.AioRpcError:
    return aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), "gone")


class Messaging:
    """Answers each item as the test says, one item to a message; an item without an answer breaks the call."""

    def __init__(self, answer: Callable[[pb.SendSmsRequest], Answer] = sent) -> None:
        self.answer = answer
        self.calls: list[list[str]] = []
        self.unanswered = 0
        self.most_unanswered = 0
        self.held = asyncio.Event()
        self.held.set()
        self._news = asyncio.Condition()

    async def has_calls(self, count: int) -> None:
        """Returns when so many calls have been made."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.calls) >= count)

    async def SendSmsBatch(  # noqa: N802 - the name of the RPC
        self,
        request: pb.SendSmsBatchRequest,
        timeout: float,  # noqa: ASYNC109 - as in the stub
    ) -> AsyncIterator[pb.SendSmsBatchResponse]:
        assert timeout > 0
        self.calls.append([item.message_id for item in request.items])
        self.unanswered += len(request.items)
        self.most_unanswered = max(self.most_unanswered, self.unanswered)
        async with self._news:
            self._news.notify_all()
        await self.held.wait()
        open_items = len(request.items)
        try:
            for index, item in enumerate(request.items):
                answer = self.answer(item)
                if answer is None:
                    raise broken(grpc.StatusCode.UNAVAILABLE)
                open_items -= 1
                self.unanswered -= 1
                one = {"response": answer} if isinstance(answer, pb.SendSmsResponse) else {"error": answer}
                yield pb.SendSmsBatchResponse(results=[pb.SendSmsBatchResult(index=index, **one)])
        finally:
            self.unanswered -= open_items


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_sender, "_FIRST_PAUSE_S", 0.0)


def sender_to(messaging: Messaging, **choices: Any) -> tuple[BatchSender, Results]:
    results = Results(StringIO(), "july")
    options: dict[str, Any] = {"batch": 3, "window": 6, "wait_s": 1.0, "patience_s": 60.0} | choices
    return BatchSender(messaging, results, **options), results  # type: ignore[arg-type]  # has the one call it makes


def written(results: Results) -> list[str]:
    """Line and status, in the order of the answers."""
    lines = results._file.getvalue().splitlines()[1:]  # type: ignore[attr-defined]
    return [f"{values[1]} {values[4]}" for values in (line.split(",") for line in lines)]


async def test_every_message_is_sent_once_and_its_result_is_written() -> None:
    messaging = Messaging()
    sender, results = sender_to(messaging)
    await sender.send(rows(20))
    assert sorted(name for call in messaging.calls for name in call) == sorted(f"m{n}" for n in range(20))
    assert sorted(written(results)) == sorted(f"{n + 2} sent" for n in range(20))
    assert (results.totals.cost_micros, sender.unanswered, sender.obstacle) == (12_000_000, 0, None)


async def test_no_more_than_the_window_is_without_an_answer() -> None:
    messaging = Messaging()
    messaging.held.clear()
    sender, _ = sender_to(messaging, batch=4, window=10)
    async with asyncio.timeout(DEADLINE_S):
        sending = asyncio.ensure_future(sender.send(rows(50)))
        await messaging.has_calls(2)
        messaging.held.set()
        await sending
    assert messaging.most_unanswered <= 10
    assert sum(map(len, messaging.calls)) == 50


async def test_what_was_not_recorded_for_now_is_tried_again_under_the_same_id() -> None:
    busy = iter([True, True, False])

    def answer(item: pb.SendSmsRequest) -> Answer:
        if item.message_id == "m1" and next(busy):
            return errors_pb2.ItemError(code=8, reason="OVERLOADED", message="busy", retry_delay=Duration(nanos=1_000))
        return sent(item)

    messaging = Messaging(answer)
    sender, results = sender_to(messaging)
    await sender.send(rows(3))
    assert messaging.calls == [["m0", "m1", "m2"], ["m1"], ["m1"]]
    assert sorted(written(results)) == ["2 sent", "3 sent", "4 sent"]


async def test_after_a_broken_call_only_what_was_not_answered_is_sent_again() -> None:
    breaks = iter([True])
    messaging = Messaging(lambda item: None if item.message_id == "m1" and next(breaks, False) else sent(item))
    sender, results = sender_to(messaging)
    await sender.send(rows(3))
    assert messaging.calls == [["m0", "m1", "m2"], ["m1", "m2"]]
    assert sorted(written(results)) == ["2 sent", "3 sent", "4 sent"]


async def test_a_message_at_fault_fails_alone() -> None:
    fault = errors_pb2.ItemError(code=3, reason="INVALID_ARGUMENT", message="no")
    sender, results = sender_to(Messaging(lambda item: fault if item.message_id == "m4" else sent(item)))
    await sender.send(rows(9))
    assert results.totals.statuses == {"sent": 8, "error": 1}
    assert "6 error" in written(results)
    assert sender.obstacle is None


@pytest.mark.parametrize("reason", ["INSUFFICIENT_FUNDS", "ACCOUNT_NOT_ACTIVE", "NO_PRICE"])
async def test_what_stands_in_the_way_of_all_stops_the_sending(reason: str) -> None:
    error = errors_pb2.ItemError(code=9, reason=reason, message="top up")
    messaging = Messaging(lambda item: error if item.message_id == "m2" else sent(item))
    sender, results = sender_to(messaging, batch=3, window=3)
    await sender.send(rows(1_000))
    assert messaging.calls == [["m0", "m1", "m2"]]
    assert results.totals.statuses == {"sent": 2, "error": 1}
    assert sender.obstacle == f"{reason}: top up"


async def test_without_success_for_long_it_gives_up_and_says_what_is_known() -> None:
    busy = errors_pb2.ItemError(code=14, reason="CARRIER_UNAVAILABLE", message="no carrier")

    def answer(item: pb.SendSmsRequest) -> Answer:
        return busy if item.message_id == "m0" else None

    sender, results = sender_to(Messaging(answer), batch=2, window=2, patience_s=0.0)
    await sender.send(rows(1_000))
    assert written(results) == ["2 error"]
    assert sender.unanswered == 1
    assert sender.obstacle is not None
    assert "messaging did not answer" in sender.obstacle


async def test_a_stop_sends_nothing_new_and_takes_the_answers_on_their_way() -> None:
    messaging = Messaging()
    messaging.held.clear()
    sender, results = sender_to(messaging, batch=2, window=4)
    async with asyncio.timeout(DEADLINE_S):
        sending = asyncio.ensure_future(sender.send(rows(1_000)))
        await messaging.has_calls(2)
        sender.stop()
        messaging.held.set()
        await sending
    assert len(messaging.calls) == 2
    assert results.totals.statuses == {"sent": 4}
    assert (sender.unanswered, sender.obstacle) == (0, None)


async def test_who_does_not_wait_leaves_answers_behind_and_knows_how_many() -> None:
    messaging = Messaging()
    messaging.held.clear()
    sender, results = sender_to(messaging, batch=2, window=4)
    sending = asyncio.ensure_future(sender.send(rows(1_000)))
    await messaging.has_calls(1)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert sender.unanswered in {2, 4}
    assert results.totals.lines == 0


async def test_a_request_that_can_never_succeed_is_raised() -> None:
    def refuse(_: pb.SendSmsRequest) -> Answer:
        raise broken(grpc.StatusCode.UNIMPLEMENTED)

    sender, _ = sender_to(Messaging(refuse))
    with pytest.raises(ExceptionGroup) as caught:
        await sender.send(rows(1))
    assert isinstance(caught.value.exceptions[0], aio.AioRpcError)


async def test_a_call_that_breaks_before_any_answer_is_tried_again_while_patience_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A machine that has been up for long: patience counts from the call and not from the start of the clock.
    monkeypatch.setattr(batch_sender, "time", SimpleNamespace(monotonic=lambda: 1_000_000.0))
    breaks = iter([True, True])
    messaging = Messaging(lambda item: None if next(breaks, False) else sent(item))
    sender, results = sender_to(messaging, patience_s=60.0)
    await sender.send(rows(3))
    assert messaging.calls == [["m0", "m1", "m2"]] * 3
    assert results.totals.statuses == {"sent": 3}
    assert (sender.unanswered, sender.obstacle) == (0, None)


@pytest.mark.parametrize(("asked", "kept"), [(2, 2.0), (30, 5.0)])
async def test_the_pause_that_the_service_asks_for_is_kept_up_to_five_seconds(
    monkeypatch: pytest.MonkeyPatch, asked: int, kept: float
) -> None:
    pauses: list[float | None] = []
    timeout = asyncio.timeout

    def over_at_once(seconds: float | None) -> asyncio.Timeout:
        pauses.append(seconds)
        return timeout(0)

    busy = iter([True])
    refusal = errors_pb2.ItemError(code=8, reason="OVERLOADED", message="busy", retry_delay=Duration(seconds=asked))
    sender, results = sender_to(Messaging(lambda item: refusal if next(busy, False) else sent(item)), batch=1, window=1)
    monkeypatch.setattr(asyncio, "timeout", over_at_once)
    await sender.send(rows(1))
    assert pauses == [kept]
    assert written(results) == ["2 sent"]
