"""The real messaging service, which kills itself with SIGKILL where it sends to webhooks and raises alerts.

FAULT_AT is `point:times`: it dies when it comes to the point for that many times, counting only what found work.
Empty, the service lives. The points, in the order of an event's life:

`fanning_out` deliveries are written, and their transaction is not committed
`fanned_out`  it is committed
`taken`       an endpoint is leased, and nothing is posted yet
`posting`     a request is on its way
`posted`      the endpoint has answered, and nothing of it is recorded
`recording`   what became of it is written, and its transaction is not committed
`recorded`    it is committed
`raising`, `raised`, `resolving`, `resolved`   the same for alerts, before and after the commit

Leases are short here, so that what a dead process held is taken over within the time of a test.

The program itself imports everything and then lives on, as that takes longer than all else. For each line that it
reads, which is a FAULT_AT, it forks a process that becomes the service; it writes the id of that process, and when that
has ended its exit code, negative for a signal.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

from messaging_service.notices.alert_store import Evaluated
from messaging_service.notices.delivery_ports import DeliveryAttempt, DeliveryBatch, FanOutResult
from messaging_service.notices.postgres import fan_out, postgres_delivery_queue
from messaging_service.notices.postgres.fan_out import PostgresFanOut
from messaging_service.notices.postgres.postgres_alert_store import PostgresAlertStore
from messaging_service.notices.postgres.postgres_delivery_queue import PostgresDeliveryQueue
from messaging_service.notices.webhooks import webhook_sender
from messaging_service.wiring.bootstrap import serve
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from service_kit.postgres.database import Connection, Pool
from service_kit.process import run_service

PR_SET_PDEATHSIG = 1
LEASE_S = 1
BATCH_S = 0.3

Call = Callable[..., Awaitable[Any]]


class Fault:
    """Counts how often a point was come to, and strikes."""

    def __init__(self, at: str) -> None:
        self.point, _, times = at.partition(":")
        self._left = int(times or 1)

    def reached(self, point: str) -> None:
        """The process is at this point, and has work there."""
        if point != self.point:
            return
        self._left -= 1
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def after(call: Call, then: Callable[[Any], object]) -> Call:
    """The same as `call`, and what it returned is looked at before anybody else gets it."""

    async def wrapped(*arguments: Any, **named: Any) -> Any:
        result = await call(*arguments, **named)
        then(result)
        return result

    return wrapped


def arm_fan_out(fault: Fault) -> None:
    """Points of fan-out."""

    def written(deliveries: int) -> None:
        if deliveries:
            fault.reached("fanning_out")

    def committed(result: FanOutResult) -> None:
        if result.deliveries:
            fault.reached("fanned_out")

    fan_out.record = after(fan_out.record, written)  # type: ignore[attr-defined, assignment]
    PostgresFanOut.fan_out = after(PostgresFanOut.fan_out, committed)  # type: ignore[method-assign, assignment]


def arm_posting(fault: Fault) -> None:
    """Points of posting, and of recording what became of it."""
    is_recording: ContextVar[bool] = ContextVar("is_recording", default=False)
    real_transaction, real_finish = postgres_delivery_queue.transaction, PostgresDeliveryQueue.finish  # type: ignore[attr-defined]
    real_exchange = webhook_sender._exchange

    @asynccontextmanager
    async def transaction(pool: Pool) -> AsyncIterator[Connection]:
        async with real_transaction(pool) as connection:
            yield connection
            if is_recording.get():
                fault.reached("recording")

    async def finish(queue: PostgresDeliveryQueue, batch: DeliveryBatch, tried: Sequence[DeliveryAttempt]) -> Any:
        is_recording.set(bool(tried))
        result = await real_finish(queue, batch, tried)
        if tried:
            fault.reached("recorded")
        return result

    async def exchange(*arguments: Any) -> Any:
        # Not at once: the request leaves meanwhile, and on some days the answer is there already.
        asyncio.get_running_loop().call_later(0.005, fault.reached, "posting")
        return await real_exchange(*arguments)

    def taken(batches: Sequence[DeliveryBatch]) -> None:
        if batches:
            fault.reached("taken")

    postgres_delivery_queue.transaction = transaction  # type: ignore[attr-defined, assignment]
    PostgresDeliveryQueue.finish = finish  # type: ignore[method-assign, assignment]
    PostgresDeliveryQueue.take = after(PostgresDeliveryQueue.take, taken)  # type: ignore[method-assign, assignment]
    webhook_sender._exchange = after(exchange, lambda _: fault.reached("posted"))  # type: ignore[assignment]


def arm_alerts(fault: Fault) -> None:
    """Points of alerts."""

    def written(evaluated: Evaluated) -> None:
        if evaluated.raised:
            fault.reached("raising")
        if evaluated.resolved:
            fault.reached("resolving")

    def committed(evaluated: Evaluated | None) -> None:
        if evaluated is not None and evaluated.raised:
            fault.reached("raised")
        if evaluated is not None and evaluated.resolved:
            fault.reached("resolved")

    PostgresAlertStore._settle = after(PostgresAlertStore._settle, written)  # type: ignore[method-assign, assignment]
    PostgresAlertStore.evaluate = after(PostgresAlertStore.evaluate, committed)  # type: ignore[method-assign, assignment]


def live(at: str) -> None:
    """Becomes the service, up to the point."""
    fault = Fault(at)

    async def serve_until_struck(settings: MessagingSettings, stopping: asyncio.Event) -> None:
        arm_fan_out(fault)
        arm_posting(fault)
        arm_alerts(fault)
        await serve(settings, stopping)

    run_service("messaging", MessagingSettings, serve_until_struck)


def breed() -> None:
    """One process after another, for as long as somebody asks for them."""
    postgres_delivery_queue.LEASE_S = LEASE_S  # type: ignore[misc]
    webhook_sender.BATCH_S = BATCH_S  # type: ignore[misc]
    parent = os.getpid()
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if child == 0:
            # Its own words go to the log, and it ends when its parent does.
            os.dup2(2, 1)
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() == parent:
                live(line.strip())
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    breed()
