"""Load on SendSmsBatch, from a process of its own: a plan on standard input, events and a report out."""

from __future__ import annotations

import asyncio
from time import perf_counter

import grpc
import uvloop
from grpc import aio

from benchmarks.driving import FAILED, PENDING, REFUSED, SENT, UNCERTAIN, Plan, Tally, measure, read_plan, tell
from benchmarks.workload import grpc_item
from service_kit.grpc.channel import open_channel
from service_kit.settings import address
from tukupay.sms.messaging.v1 import messaging_pb2 as pb
from tukupay.sms.messaging.v1 import messaging_pb2_grpc

_CALL_S = 30.0
_OUTCOMES = {
    pb.SMS_STATUS_SENT: SENT,
    pb.SMS_STATUS_PENDING: PENDING,
    pb.SMS_STATUS_FAILED: FAILED,
}
_NOT_RECORDED = frozenset(
    code.value[0]
    for code in (
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    )
)


class Load:
    """Calls side by side, each caller with one batch in flight."""

    def __init__(self, plan: Plan, stub: messaging_pb2_grpc.MessagingServiceAsyncStub) -> None:
        self._plan = plan
        self._stub = stub
        self._next = plan.first_number
        self._sending = True
        self.tally = Tally()

    async def run(self) -> float:
        """Sends, stops to send and waits for the last answers; the length of the window in seconds."""
        callers = [asyncio.create_task(self._call_after_call()) for _ in range(self._plan.concurrency)]
        length_s = await measure(self._plan, self.tally)
        self._sending = False
        # Bounded by the deadline of the calls.
        await asyncio.gather(*callers)
        return length_s

    async def _call_after_call(self) -> None:
        while self._sending:
            first = self._next
            self._next += self._plan.batch
            request = pb.SendSmsBatchRequest(
                items=[grpc_item(self._plan.run, number, self._plan.accounts) for number in range(first, self._next)]
            )
            begun = perf_counter()
            code = await self._call(request)
            self.tally.answered(code, perf_counter() - begun)

    async def _call(self, request: pb.SendSmsBatchRequest) -> str:
        open_items = len(request.items)
        try:
            async for response in self._stub.SendSmsBatch(request, timeout=_CALL_S):
                for result in response.results:
                    open_items -= 1
                    self.tally.count(_outcome(result))
        except aio.AioRpcError as error:
            self.tally.count(UNCERTAIN, open_items)
            return str(error.code().name)
        return "OK"


def _outcome(result: pb.SendSmsBatchResult) -> str:
    if result.HasField("error"):
        return REFUSED if result.error.code in _NOT_RECORDED else UNCERTAIN
    return _OUTCOMES.get(result.response.entry.status, UNCERTAIN)


async def _main() -> None:
    plan = read_plan()
    async with open_channel(address(plan.target)) as channel:
        load = Load(plan, messaging_pb2_grpc.MessagingServiceStub(channel))
        length_s = await load.run()
    tell(load.tally.report(length_s))


if __name__ == "__main__":
    uvloop.run(_main())
