"""Concurrent sends share batches; nobody waits for company, and nobody is left without an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import grpc
import pytest
from grpc import aio

from gateway_http.shared.asserted_caller import Caller, asserted
from gateway_http.shared.problem import ProblemError
from gateway_http.sms.coalescer import MAX_BATCH_BYTES, SendCoalescer
from service_kit.access.principal import Principal, PrincipalKind
from service_kit.errors import Kind, ServiceError
from service_kit.grpc.grpc_errors import to_status
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

DEADLINE_S = 5.0


class Call:
    """One batch call, answered by the test."""

    def __init__(self, request: pb.SendSmsBatchRequest) -> None:
        self.request = request
        self._steps: asyncio.Queue[pb.SendSmsBatchResponse | Exception | None] = asyncio.Queue()
        self.was_cancelled = False

    @property
    def user_ids(self) -> list[str]:
        return [item.user_id for item in self.request.items]

    def answer(self, *indexes: int) -> None:
        """Answers items with an entry named after their sender."""
        results = [
            pb.SendSmsBatchResult(
                index=index,
                response=pb.SendSmsResponse(entry=pb.OutboxEntry(user_id=self.request.items[index].user_id)),
            )
            for index in indexes
        ]
        self._steps.put_nowait(pb.SendSmsBatchResponse(results=results))

    def end(self, error: Exception | None = None) -> None:
        self._steps.put_nowait(error)

    def finish(self) -> None:
        self.answer(*range(len(self.request.items)))
        self.end()

    async def __aiter__(self) -> AsyncIterator[pb.SendSmsBatchResponse]:
        try:
            while (step := await self._steps.get()) is not None:
                if isinstance(step, Exception):
                    raise step
                yield step
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise


class Messaging:
    """Takes batch calls."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._arrived = asyncio.Event()

    def __call__(self, request: pb.SendSmsBatchRequest) -> AsyncIterator[pb.SendSmsBatchResponse]:
        call = Call(request)
        self.calls.append(call)
        self._arrived.set()
        return aiter(call)

    async def call(self, number: int) -> Call:
        """The call with a number, from 0, once it has been made."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.calls) <= number:
                self._arrived.clear()
                await self._arrived.wait()
        return self.calls[number]


@pytest.fixture
def messaging() -> Messaging:
    return Messaging()


def send(coalescer: SendCoalescer, user_id: str, caller: Caller | None = None) -> asyncio.Task[pb.SendSmsBatchResult]:
    return asyncio.create_task(coalescer.send(pb.SendSmsRequest(user_id=user_id), caller))


def key(number: int) -> Caller:
    """The caller with one of many keys, as it is made of each answer about the key."""
    return asserted(
        Principal(f"tk_live_{number:08}", PrincipalKind.API_KEY, frozenset({f"user{number}"}), frozenset({"sms:send"}))
    )


async def turn(times: int = 3) -> None:
    """Lets everything run that is ready to."""
    for _ in range(times):
        await asyncio.sleep(0)


async def test_a_lone_caller_leaves_in_the_same_turn_of_the_loop(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging, spacing_s=60)
    sending = send(coalescer, "a")
    await turn()
    assert [call.user_ids for call in messaging.calls] == [["a"]]
    messaging.calls[0].finish()
    assert (await sending).response.entry.user_id == "a"


async def test_callers_of_one_turn_share_a_batch(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging, spacing_s=60)
    sending = [send(coalescer, f"user{number}") for number in range(100)]
    call = await messaging.call(0)
    call.finish()
    results = await asyncio.gather(*sending)
    assert [result.response.entry.user_id for result in results] == [f"user{number}" for number in range(100)]
    assert len(messaging.calls) == 1


async def test_a_batch_names_each_of_its_callers_once(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging, spacing_s=60)
    sending = [send(coalescer, f"user{number % 5}", key(number % 5)) for number in range(256)]
    call = await messaging.call(0)
    ids = [principal.id for principal in call.request.principals]
    assert ids == [f"tk_live_{number:08}" for number in range(5)]
    assert [ids[item.principal_index] for item in call.request.items] == [ids[number % 5] for number in range(256)]
    call.finish()
    await asyncio.gather(*sending)
    assert len(messaging.calls) == 1


async def test_a_caller_whose_key_changed_meanwhile_is_named_as_each_of_its_requests_came(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging, spacing_s=60)
    before = key(1)
    after = asserted(replace(before.principal, accounts=frozenset({"user2"})))
    sending = [send(coalescer, "user1", before), send(coalescer, "user2", after)]
    call = await messaging.call(0)
    assert [list(principal.accounts) for principal in call.request.principals] == [["user1"], ["user2"]]
    assert [item.principal_index for item in call.request.items] == [0, 1]
    call.finish()
    await asyncio.gather(*sending)


async def test_on_an_open_system_a_batch_names_nobody(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging, spacing_s=60)
    sending = send(coalescer, "a")
    call = await messaging.call(0)
    assert not call.request.principals
    assert not call.request.items[0].HasField("principal_index")
    call.finish()
    await sending


async def test_callers_that_come_meanwhile_leave_together_when_the_batch_ends(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging, spacing_s=60)
    first = send(coalescer, "first")
    call = await messaging.call(0)
    later = [send(coalescer, "b"), send(coalescer, "c")]
    await turn(10)
    assert len(messaging.calls) == 1
    call.finish()
    second = await messaging.call(1)
    assert second.user_ids == ["b", "c"]
    second.finish()
    await asyncio.gather(first, *later)


async def test_callers_that_come_meanwhile_wait_no_longer_than_the_spacing(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging, spacing_s=0.005)
    slow = send(coalescer, "slow")
    await messaging.call(0)
    quick = send(coalescer, "quick")
    second = await messaging.call(1)
    second.finish()
    await quick
    assert not slow.done()
    messaging.calls[0].finish()
    await slow


async def test_a_full_batch_leaves_at_once(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging, spacing_s=60, max_items=4)
    slow = send(coalescer, "slow")
    await messaging.call(0)
    sending = [send(coalescer, f"user{number}") for number in range(9)]
    await turn()
    assert [len(call.user_ids) for call in messaging.calls] == [1, 4, 4]
    for call in list(messaging.calls):
        call.finish()
    (await messaging.call(3)).finish()
    await asyncio.gather(slow, *sending)


async def test_large_sends_never_make_a_batch_too_large_to_send(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging, spacing_s=60)
    large = "x" * 60_000
    sending = [asyncio.create_task(coalescer.send(pb.SendSmsRequest(message=large), None)) for _ in range(200)]
    await turn()
    assert len(messaging.calls) == 2
    for number in range(3):
        (await messaging.call(number)).finish()
    await asyncio.gather(*sending)
    assert sum(len(call.request.items) for call in messaging.calls) == 200
    assert max(call.request.ByteSize() for call in messaging.calls) < MAX_BATCH_BYTES + 4_096


async def test_results_come_back_in_any_order_and_none_waits_for_another(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging)
    slow, quick = send(coalescer, "slow"), send(coalescer, "quick")
    call = await messaging.call(0)
    async with asyncio.timeout(DEADLINE_S):
        call.answer(1)
        second = await quick
        assert (second.index, second.response.entry.user_id) == (1, "quick")
        assert not slow.done()
        call.answer(0)
        call.end()
        first = await slow
        assert (first.index, first.response.entry.user_id) == (0, "slow")


async def test_a_broken_call_fails_exactly_those_without_an_answer(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging)
    sending = [send(coalescer, f"user{number}") for number in range(4)]
    call = await messaging.call(0)
    call.answer(2, 0)
    call.end(rpc_error(grpc.StatusCode.UNAVAILABLE, "Socket closed"))
    results = await asyncio.gather(*sending, return_exceptions=True)
    assert [isinstance(result, ProblemError) for result in results] == [False, True, False, True]
    for result in (results[1], results[3]):
        assert isinstance(result, ProblemError)
        assert (result.reason, result.http_status) == ("MESSAGING_INTERRUPTED", 503)
        assert "may or may not" in result.detail
        assert "the same messageId" in result.detail
        assert "nothing was stored" not in result.detail


async def test_a_refusal_after_some_answers_says_nothing_of_the_rest(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging)
    sending = [send(coalescer, f"user{number}") for number in range(3)]
    call = await messaging.call(0)
    call.answer(0)
    # Of the call as a whole it would be true; of what was taken before it is not.
    call.end(refused(ServiceError(Kind.OVERLOADED, "OVERLOADED", "too much waits; nothing was stored or charged")))
    results = await asyncio.gather(*sending, return_exceptions=True)
    assert isinstance(results[0], pb.SendSmsBatchResult)
    for result in results[1:]:
        assert isinstance(result, ProblemError)
        assert (result.reason, result.http_status) == ("MESSAGING_INTERRUPTED", 503)
        assert "the same messageId" in result.detail
        assert "nothing was stored" not in result.detail


async def test_a_refusal_before_any_answer_is_told_to_each(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging)
    sending = [send(coalescer, "a"), send(coalescer, "b")]
    call = await messaging.call(0)
    call.end(refused(ServiceError(Kind.OVERLOADED, "OVERLOADED", "too much waits; nothing was stored or charged")))
    for result in await asyncio.gather(*sending, return_exceptions=True):
        assert isinstance(result, ProblemError)
        assert (result.reason, result.http_status) == ("OVERLOADED", 429)
        assert "nothing was stored" in result.detail


async def test_only_a_call_that_never_left_says_that_nothing_was_stored(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging)
    sending = send(coalescer, "a")
    (await messaging.call(0)).end(
        rpc_error(grpc.StatusCode.UNAVAILABLE, "connections to all backends failing; last error: refused")
    )
    with pytest.raises(ProblemError, match="nothing was stored or charged") as caught:
        await sending
    assert (caught.value.reason, caught.value.http_status) == ("MESSAGING_UNAVAILABLE", 503)
    assert "Retry-After" in caught.value.headers


async def test_a_call_out_of_time_is_a_gateway_timeout(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging)
    sending = send(coalescer, "a")
    (await messaging.call(0)).end(rpc_error(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"))
    with pytest.raises(ProblemError, match="the same messageId") as caught:
        await sending
    assert (caught.value.reason, caught.value.http_status) == ("MESSAGING_TIMEOUT", 504)


@pytest.mark.parametrize("error", [None, RuntimeError("a bug")])
async def test_a_call_that_ends_wrongly_leaves_nobody_waiting(messaging: Messaging, error: Exception | None) -> None:
    coalescer = SendCoalescer(messaging)
    sending = [send(coalescer, "a"), send(coalescer, "b")]
    call = await messaging.call(0)
    call.answer(0)
    call.end(error)
    results = await asyncio.gather(*sending, return_exceptions=True)
    assert isinstance(results[0], pb.SendSmsBatchResult)
    assert isinstance(results[1], ProblemError)
    assert results[1].http_status == 500


async def test_unknown_and_repeated_positions_are_ignored(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging)
    sending = [send(coalescer, "a"), send(coalescer, "b")]
    call = await messaging.call(0)
    call.answer(0, 0)
    call._steps.put_nowait(pb.SendSmsBatchResponse(results=[pb.SendSmsBatchResult(index=7)]))
    call.answer(0, 1)
    call.end()
    results = await asyncio.gather(*sending)
    assert [result.response.entry.user_id for result in results] == ["a", "b"]


async def test_a_caller_that_leaves_does_not_stop_its_batch(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging)
    leaving, staying = send(coalescer, "leaving"), send(coalescer, "staying")
    call = await messaging.call(0)
    leaving.cancel()
    await turn()
    call.finish()
    assert (await staying).response.entry.user_id == "staying"
    assert leaving.cancelled()
    assert not call.was_cancelled


async def test_a_caller_that_leaves_before_its_batch_is_sent_all_the_same(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging, spacing_s=60)
    first = send(coalescer, "first")
    call = await messaging.call(0)
    leaving = send(coalescer, "leaving")
    await turn()
    leaving.cancel()
    call.finish()
    await first
    second = await messaging.call(1)
    assert second.user_ids == ["leaving"]
    second.finish()
    await turn()


async def test_sends_beyond_the_bound_are_turned_away_until_there_is_room(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging, spacing_s=0, max_outstanding=2)
    sending = [send(coalescer, "a"), send(coalescer, "b")]
    call = await messaging.call(0)
    with pytest.raises(ProblemError, match="nothing was stored") as caught:
        await coalescer.send(pb.SendSmsRequest(user_id="c"), None)
    assert (caught.value.reason, caught.value.http_status) == ("OVERLOADED", 429)
    assert caught.value.headers == {"Retry-After": "1"}
    call.finish()
    await asyncio.gather(*sending)
    again = send(coalescer, "c")
    (await messaging.call(1)).finish()
    await again


async def test_room_comes_back_after_a_failure(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging, max_outstanding=1)
    for number in range(3):
        sending = send(coalescer, "a")
        (await messaging.call(number)).end(rpc_error(grpc.StatusCode.UNAVAILABLE, "Socket closed"))
        with pytest.raises(ProblemError):
            await sending


async def test_closing_answers_everybody(messaging: Messaging) -> None:
    coalescer = SendCoalescer(messaging, spacing_s=60)
    under_way = send(coalescer, "a")
    call = await messaging.call(0)
    not_sent = send(coalescer, "b")
    await turn()
    await coalescer.close()
    with pytest.raises(ProblemError, match="may or may not"):
        await under_way
    with pytest.raises(ProblemError, match="nothing was stored"):
        await not_sent
    assert call.was_cancelled
    assert len(messaging.calls) == 1


def rpc_error(code: grpc.StatusCode, details: str) -> aio.AioRpcError:
    return aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), details)


def refused(error: ServiceError) -> aio.AioRpcError:
    """The end of a call that the service refused with a status of its own."""
    status = to_status(error)
    code = {each.value[0]: each for each in grpc.StatusCode}[status.code]
    details = aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return aio.AioRpcError(code, aio.Metadata(), details, error.message)
