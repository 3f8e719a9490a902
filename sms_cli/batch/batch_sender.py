"""Sends the messages of a file: several batches in flight, and no message twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import grpc
from google.protobuf.duration_pb2 import Duration
from grpc import aio

from messaging_service.shared.domain.states import Priority
from service_kit.grpc.timestamps import to_timestamp
from sms_cli.batch.batch_files import BatchRow
from sms_cli.batch.batch_results import Results
from tukupay.sms.common.v1 import errors_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.messaging_pb2_grpc import MessagingServiceAsyncStub

_PRIORITIES = {Priority.NORMAL: pb.PRIORITY_NORMAL, Priority.HIGH: pb.PRIORITY_HIGH}
_AGAIN = {
    grpc.StatusCode.UNAVAILABLE.value[0],
    grpc.StatusCode.RESOURCE_EXHAUSTED.value[0],
    grpc.StatusCode.INTERNAL.value[0],
}
"""Codes of refused items that are tried again under the same message id."""
_CALL_AGAIN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
}
_HOPELESS = {"INSUFFICIENT_FUNDS", "ACCOUNT_NOT_ACTIVE", "NO_PRICE"}
"""Reasons that concern the whole account: nothing new is sent after one of them."""
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0
_BESIDE_WAIT_S = 30.0
"""Time that a call may take beyond the wait for outcomes."""


@dataclass
class _Attempt:
    """What is left to do after one call."""

    left: list[BatchRow] = field(default_factory=list)
    """Messages to try again."""
    refusals: dict[int, errors_pb2.ItemError] = field(default_factory=dict)
    """The refusals of some of them, by line; the outcome of the others is unknown."""
    obstacle: str = "messaging left messages without an answer"
    least_pause_s: float = 0.0

    def refused(self, row: BatchRow, error: errors_pb2.ItemError) -> None:
        """Notes a message that was not recorded, and may be recorded later."""
        self.left.append(row)
        self.refusals[row.line] = error
        self.obstacle = f"{error.reason}: {error.message}"
        self.least_pause_s = max(self.least_pause_s, error.retry_delay.ToTimedelta().total_seconds())


class BatchSender:
    """Sends until the file ends, nothing more can succeed, or it is asked to stop."""

    def __init__(
        self,
        stub: MessagingServiceAsyncStub,
        results: Results,
        *,
        batch: int,
        window: int,
        wait_s: float,
        patience_s: float,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        """Sends over `stub`, with at most `window` messages unanswered.

        `patience_s` is how long a batch is tried again without a single success.
        """
        self._stub = stub
        self._results = results
        self._batch = batch
        self._window = window
        self._wait = Duration()
        self._wait.FromMilliseconds(round(wait_s * 1_000))
        self._timeout_s = wait_s + _BESIDE_WAIT_S
        self._patience_s = patience_s
        self._progress = progress
        self._room = asyncio.Event()
        self._stopping = asyncio.Event()
        self.unanswered = 0
        """Messages on their way; after the end those whose outcome is not known here."""
        self.obstacle: str | None = None
        """Why it stopped before the end of the file; None when it did not, or was asked to."""

    def stop(self) -> None:
        """Sends nothing new; what was sent may still be answered."""
        self._stopping.set()
        self._room.set()

    async def send(self, rows: Iterator[BatchRow]) -> None:
        """Returns when every message was answered or given up. When cancelled, it abandons open calls."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping.is_set() and (chunk := list(islice(rows, self._batch))):
                while self.unanswered and self.unanswered + len(chunk) > self._window:
                    self._room.clear()
                    await self._room.wait()
                    if self._stopping.is_set():
                        return
                self.unanswered += len(chunk)
                group.create_task(self._send_chunk(chunk))

    async def _send_chunk(self, chunk: Sequence[BatchRow]) -> None:
        """Sends a batch until each of its messages has a final answer."""
        waiting = list(chunk)
        success = time.monotonic()
        pause_s = _FIRST_PAUSE_S
        while True:
            before = len(waiting)
            attempt = await self._attempt(waiting)
            waiting = attempt.left
            if not waiting:
                return
            if len(waiting) < before:
                success, pause_s = time.monotonic(), _FIRST_PAUSE_S
            if self._stopping.is_set() or time.monotonic() - success > self._patience_s:
                self._give_up(attempt)
                return
            pause_s = min(max(pause_s, attempt.least_pause_s), _LONGEST_PAUSE_S)
            try:
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()
            except TimeoutError:
                pause_s *= 2

    async def _attempt(self, rows: Sequence[BatchRow]) -> _Attempt:
        open_rows = dict(enumerate(rows))
        attempt = _Attempt()
        request = pb.SendSmsBatchRequest(items=[self._request(row) for row in rows])
        try:
            async for response in self._stub.SendSmsBatch(request, timeout=self._timeout_s):
                for result in response.results:
                    row = open_rows.pop(result.index)
                    if result.HasField("error") and result.error.code in _AGAIN:
                        attempt.refused(row, result.error)
                    else:
                        self._answered(row, result)
                self._results.flush()
                self._progress()
        except aio.AioRpcError as error:
            if error.code() not in _CALL_AGAIN:
                raise
            attempt.obstacle = f"messaging did not answer ({error.code().name})"
        attempt.left += open_rows.values()
        return attempt

    def _answered(self, row: BatchRow, result: pb.SendSmsBatchResult) -> None:
        self.unanswered -= 1
        self._room.set()
        if result.HasField("response"):
            self._results.recorded(row, result.response)
            return
        self._results.refused(row, result.error)
        if result.error.reason in _HOPELESS:
            self._stop_for(f"{result.error.reason}: {result.error.message}")

    def _give_up(self, attempt: _Attempt) -> None:
        for row in attempt.left:
            if row.line in attempt.refusals:
                self.unanswered -= 1
                self._results.refused(row, attempt.refusals[row.line])
        self._results.flush()
        self._progress()
        if not self._stopping.is_set():
            self._stop_for(attempt.obstacle)

    def _stop_for(self, obstacle: str) -> None:
        self.obstacle = self.obstacle or obstacle
        self.stop()

    def _request(self, row: BatchRow) -> pb.SendSmsRequest:
        draft = row.draft
        return pb.SendSmsRequest(
            user_id=draft.user_id,
            recipient_phone_number=draft.recipient_phone_number,
            message=draft.message,
            sender_id=draft.sender_id,
            message_name=draft.message_name,
            message_id=draft.message_id,
            scheduled_time=None if draft.scheduled_time is None else to_timestamp(draft.scheduled_time),
            expires_time=None if draft.expires_time is None else to_timestamp(draft.expires_time),
            priority=_PRIORITIES[draft.priority],
            tags=draft.tags,
            outcome_wait=self._wait,
        )
