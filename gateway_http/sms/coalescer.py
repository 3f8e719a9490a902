"""Puts concurrent sends together into batch calls, because one call costs twenty times what an item costs.

A lone caller never waits for company: with nothing under way, a batch leaves at the end of the loop
turn in which its first item came. While batches are under way, the next one leaves when `spacing_s`
has passed since the last, when it is full (by items or bytes), or when nothing is under way any more.
Sends of different callers share a batch, which names each caller once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import structlog
from grpc import aio

from gateway_http.shared import reasons
from gateway_http.shared.asserted_caller import Caller
from gateway_http.shared.gateway_meters import SendMeter, Unmetered
from gateway_http.shared.problem import ProblemError, from_service_error
from gateway_http.shared.upstream import Call, internal, problem_of
from service_kit.errors import Kind, ServiceError
from service_kit.grpc.grpc_errors import from_rpc_error
from service_kit.grpc.traced_calls import STATUS, begin_call, failed_call
from service_kit.request_id import bind, current, for_nobody
from service_kit.tracing.span import Span, current_span
from tukupay.sms.messaging.v1 import messaging_pb2

log = structlog.get_logger()

SEND = Call(
    "messaging",
    "the SMS may or may not have been recorded and sent: repeat it with the same messageId, which never sends "
    "twice (without a messageId, look for it in GET /api/sms/outbox first)",
)

METHOD = "tukupay.sms.messaging.v1.MessagingService/SendSmsBatch"
MAX_BATCH_BYTES = 4 * 1024 * 1024
"""Well below what a gRPC message may have, so that large sends never make a whole batch fail."""

BatchCall = Callable[[messaging_pb2.SendSmsBatchRequest], AsyncIterator[messaging_pb2.SendSmsBatchResponse]]
"""Starts a call with its deadline set; iterating may raise AioRpcError."""


@dataclass(slots=True)
class _Waiting:
    item: messaging_pb2.SendSmsRequest
    caller: Caller | None
    answer: asyncio.Future[messaging_pb2.SendSmsBatchResult]
    span: Span | None
    """Of its request, when that is sampled."""


def _waiting(item: messaging_pb2.SendSmsRequest, caller: Caller | None, loop: asyncio.AbstractEventLoop) -> _Waiting:
    """The item with the id and trace of the request that it belongs to: its call has items of many."""
    request_id = current()
    if request_id is not None:
        item.request_id = request_id
    span = current_span()
    if span is not None:
        item.traceparent = span.context.traceparent
    return _Waiting(item, caller, loop.create_future(), span)


@dataclass(slots=True)
class _Batch:
    waiting: Sequence[_Waiting]
    is_counted: bool = True
    """Whether its items count as outstanding sends."""
    unanswered: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.unanswered = set(range(len(self.waiting)))

    def request(self) -> messaging_pb2.SendSmsBatchRequest:
        """The call to make, with each caller once."""
        callers: dict[Caller, int] = {}
        for waiting in self.waiting:
            if waiting.caller is not None:
                waiting.item.principal_index = callers.setdefault(waiting.caller, len(callers))
        return messaging_pb2.SendSmsBatchRequest(
            items=[waiting.item for waiting in self.waiting], principals=[caller.message for caller in callers]
        )

    def spans(self) -> list[Span]:
        """Of the requests among its own that are sampled, each once: those of one request have the same."""
        return list(dict.fromkeys(waiting.span for waiting in self.waiting if waiting.span is not None))


class SendCoalescer:
    """Answers each send with its own result, and fails exactly those that a broken call left open.

    A caller that goes away changes nothing for its batch: the item was sent and stays sent.
    """

    def __init__(
        self,
        call: BatchCall,
        *,
        spacing_s: float = 0.005,
        max_items: int = 256,
        max_outstanding: int = 8_192,
        meter: SendMeter | None = None,
    ) -> None:
        """`max_outstanding` bounds the sends that wait for a batch or for its answer."""
        self._call = call
        self._meter = meter or Unmetered()
        self._spacing_s = spacing_s
        self._max_items = max_items
        self._max_outstanding = max_outstanding
        self._pending: list[_Waiting] = []
        self._pending_bytes = 0
        self._pending_since = 0.0
        self._outstanding = 0
        self._timer: asyncio.Handle | None = None
        self._last_launch = float("-inf")
        self._running: set[asyncio.Task[None]] = set()

    @property
    def outstanding(self) -> int:
        """Sends that wait for a batch or for its answer."""
        return self._outstanding

    async def send(self, item: messaging_pb2.SendSmsRequest, caller: Caller | None) -> messaging_pb2.SendSmsBatchResult:
        """The result of one send. Raises ProblemError when there is no room, or the call breaks.

        `caller`: None on a system without authentication.
        """
        if self._outstanding >= self._max_outstanding:
            self._meter.turned_away()
            raise from_service_error(_overloaded())
        loop = asyncio.get_running_loop()
        waiting = _waiting(item, caller, loop)
        size = item.ByteSize()
        if self._pending_bytes + size > MAX_BATCH_BYTES:
            self._launch()
        self._outstanding += 1
        if not self._pending:
            self._pending_since = loop.time()
        self._pending.append(waiting)
        self._pending_bytes += size
        if len(self._pending) >= self._max_items:
            self._launch()
        elif self._timer is None:
            delay = self._last_launch + self._spacing_s - loop.time()
            # call_soon even then: what arrived in the same turn of the loop shall join.
            idle = not self._running or delay <= 0
            self._timer = loop.call_soon(self._launch) if idle else loop.call_later(delay, self._launch)
        return await waiting.answer

    async def send_together(
        self, items: Sequence[messaging_pb2.SendSmsRequest], caller: Caller | None
    ) -> list[messaging_pb2.SendSmsBatchResult | ProblemError]:
        """The results of sends that came together, in their order, from one call of their own.

        An item has a ProblemError when the call broke before its answer; raises it when it broke before any.
        They are not counted as outstanding: the caller bounds them, so that they never crowd out lone sends.
        """
        loop = asyncio.get_running_loop()
        batch = _Batch([_waiting(item, caller, loop) for item in items], is_counted=False)
        self._start(batch)
        answers = await asyncio.gather(*(waiting.answer for waiting in batch.waiting), return_exceptions=True)
        results: list[messaging_pb2.SendSmsBatchResult | ProblemError] = []
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, ProblemError):
                raise answer
            results.append(answer)
        if results and isinstance(results[0], ProblemError) and all(isinstance(one, ProblemError) for one in results):
            raise results[0]
        return results

    def _launch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._pending:
            return
        loop = asyncio.get_running_loop()
        batch, self._pending, self._pending_bytes = _Batch(self._pending), [], 0
        self._last_launch = loop.time()
        self._start(batch, self._last_launch - self._pending_since)

    def _start(self, batch: _Batch, waited_s: float = 0.0) -> None:
        self._meter.launched(len(batch.waiting), waited_s)
        task = asyncio.get_running_loop().create_task(self._run(batch), context=for_nobody())
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not self._running:
            self._launch()

    async def _run(self, batch: _Batch) -> None:
        begun, code = asyncio.get_running_loop().time(), "CANCELLED"
        try:
            spans = batch.spans()
            await (self._traced(batch, spans) if spans else self._ask(batch))
        except aio.AioRpcError as error:
            code = error.code().name
            partly = len(batch.unanswered) < len(batch.waiting)
            self._fail_rest(batch, partial(_failure, error, partly=partly))
        except Exception:
            code = "UNKNOWN"
            log.exception("send_batch.failed")
            self._fail_rest(batch, partial(internal, SEND))
        else:
            code = "OK"
            if batch.unanswered:
                log.error("send_batch.incomplete", unanswered=len(batch.unanswered))
                self._fail_rest(batch, partial(internal, SEND))
        finally:
            # Only a cancelled call has some left here.
            self._fail_rest(batch, _stopped)
            self._meter.batch_ended(code, asyncio.get_running_loop().time() - begun)

    async def _ask(self, batch: _Batch) -> None:
        async for response in self._call(batch.request()):
            for result in response.results:
                self._settle(batch, result)

    async def _traced(self, batch: _Batch, spans: Sequence[Span]) -> None:
        """The same in a span that is linked to the requests that are sampled, and a part of the first of them."""
        with begin_call(spans[0], METHOD, [span.context for span in spans]) as span:
            span.describe(attributes={"messaging.batch.message_count": len(batch.waiting)})
            try:
                await self._ask(batch)
            except aio.AioRpcError as error:
                failed_call(span, error)
                raise
            span.describe(attributes={STATUS: "OK"})

    def _settle(self, batch: _Batch, result: messaging_pb2.SendSmsBatchResult) -> None:
        if result.index not in batch.unanswered:
            log.error("send_batch.unexpected_result", index=result.index)
            return
        batch.unanswered.remove(result.index)
        self._outstanding -= batch.is_counted
        answer = batch.waiting[result.index].answer
        if not answer.done():
            answer.set_result(result)

    def _fail_rest(self, batch: _Batch, failure: Callable[[], ProblemError]) -> None:
        for index in sorted(batch.unanswered):
            self._outstanding -= batch.is_counted
            answer = batch.waiting[index].answer
            if not answer.done():
                # What is logged about the failure names the request.
                bind(batch.waiting[index].item.request_id or None)
                # One exception each: a shared one would gather the tracebacks of all who raise it.
                answer.set_exception(failure())
        bind(None)
        batch.unanswered.clear()

    async def close(self) -> None:
        """Gives up what is still under way; called when no request is left."""
        never_sent, self._pending, self._pending_bytes = self._pending, [], 0
        self._outstanding -= len(never_sent)
        for waiting in never_sent:
            if not waiting.answer.done():
                waiting.answer.set_exception(_stopped_in_time())
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _failure(error: aio.AioRpcError, *, partly: bool) -> ProblemError:
    if partly and from_rpc_error(error) is not None:
        # The service refused the rest after it had taken some: what it says holds for no single item.
        return ProblemError(
            reasons.MESSAGING_INTERRUPTED,
            f"the messaging service broke off during the call; {SEND.when_uncertain}",
            headers={"Retry-After": "1"},
        )
    return problem_of(error, SEND)


def _stopped() -> ProblemError:
    return ProblemError(reasons.MESSAGING_INTERRUPTED, f"this gateway is stopping; {SEND.when_uncertain}")


def _stopped_in_time() -> ProblemError:
    return ProblemError(
        reasons.MESSAGING_UNAVAILABLE,
        "this gateway is stopping; nothing was stored or charged, try again shortly",
        headers={"Retry-After": "1"},
    )


def _overloaded() -> ServiceError:
    return ServiceError(
        Kind.OVERLOADED,
        reasons.OVERLOADED,
        "too many sends are waiting for their answers; nothing was stored or charged, try again shortly",
        retry_after=timedelta(seconds=1),
    )
