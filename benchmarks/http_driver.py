"""Load on `POST /api/sms/send`, from a process of its own: a plan on standard input, events and a report out.

A bare HTTP/1.1 client on uvloop: the less it costs, the more of the machine is left for what is measured.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import cast

import uvloop

from benchmarks.driving import FAILED, PENDING, REFUSED, SENT, UNCERTAIN, Plan, Tally, measure, read_plan, tell
from benchmarks.workload import HttpRequests

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


class Load:
    """Decides which connection sends when, and counts what comes back."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._loop = asyncio.get_running_loop()
        self._requests = HttpRequests(plan.target, plan.run, plan.first_number, plan.accounts, plan.keys)
        self._idle: deque[Caller] = deque()
        self._due: deque[float] = deque()
        """Instants of paced requests that found no idle connection."""
        self._sending = False
        self._in_flight = 0
        self._quiet = asyncio.Event()
        self.tally = Tally()

    async def run(self) -> float:
        """Connects, sends, stops to send and waits for the last answers; the length of the window in seconds."""
        plan = self._plan
        host, _, port = plan.target.rpartition(":")
        callers = [Caller(self) for _ in range(plan.concurrency)]
        for caller in callers:
            await self._loop.create_connection(lambda caller=caller: caller, host, int(port))  # type: ignore[misc]
        self._sending = True
        if plan.rate is None:
            for caller in callers:
                self._send(caller, perf_counter())
        else:
            self._idle.extend(callers)
            self._pace(perf_counter(), 0, plan.rate)
        length_s = await measure(plan, self.tally)
        self._sending = False
        # Paced requests that never left belong to no one any more.
        self._due.clear()
        self._check_quiet()
        try:
            async with asyncio.timeout(plan.drain_s):
                await self._quiet.wait()
        except TimeoutError:
            self.tally.count(UNCERTAIN, self._in_flight)
        for caller in callers:
            caller.close()
        return length_s

    def answered(self, caller: Caller, code: int, outcome: str, latency_s: float) -> None:
        """A connection has its answer and is free."""
        self._in_flight -= 1
        self.tally.answered(str(code), latency_s)
        self.tally.count(outcome)
        if not self._sending:
            self._check_quiet()
        elif self._plan.rate is None:
            self._send(caller, perf_counter())
        elif self._due:
            self._send(caller, self._due.popleft())
        else:
            self._idle.append(caller)

    def broken(self, code: str) -> None:
        """A connection was lost with a request under way. It is not replaced: the report shows it."""
        self._in_flight -= 1
        self.tally.answered(code, None)
        self.tally.count(UNCERTAIN)
        self._check_quiet()

    def lost(self, caller: Caller) -> None:
        """An idle connection was lost."""
        if caller in self._idle:
            self._idle.remove(caller)

    def _send(self, caller: Caller, since: float) -> None:
        self._in_flight += 1
        caller.send(self._requests.next(), since)

    def _pace(self, begun: float, sent: int, rate: float) -> None:
        """Sends what is due and comes back for the next. A request that must wait counts from when it was due."""
        if not self._sending:
            return
        now = perf_counter()
        while (due := begun + sent / rate) <= now:
            if self._idle:
                self._send(self._idle.popleft(), due)
            else:
                self._due.append(due)
            sent += 1
        self._loop.call_later(due - now, self._pace, begun, sent, rate)

    def _check_quiet(self) -> None:
        if not self._sending and self._in_flight == 0:
            self._quiet.set()


class Caller(asyncio.Protocol):
    """A kept connection with one request in flight at most."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._since = 0.0
        self._waits = False
        self._closing = False
        self._received = b""

    def send(self, request: bytes, since: float) -> None:
        """Sends a request; its latency counts from the instant `since` of perf_counter."""
        self._waits = True
        self._since = since
        if self._transport is None or self._transport.is_closing():
            self._waits = False
            self._load.broken("not connected")
            return
        self._transport.write(request)

    def close(self) -> None:
        """Closes the connection."""
        self._closing = True
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        received = self._received = self._received + data if self._received else data
        head_end = received.find(_HEAD_END)
        if head_end < 0:
            return
        at = received.find(_LENGTH, 0, head_end) + len(_LENGTH)
        end = head_end + len(_HEAD_END) + int(received[at : received.find(b"\r", at)])
        if len(received) < end:
            return
        self._received = b""
        self._waits = False
        code = int(received[9:12])
        self._load.answered(self, code, _outcome(code, received[head_end:]), perf_counter() - self._since)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._transport = None
        if self._waits and not self._closing:
            self._waits = False
            self._load.broken("connection lost")
        else:
            self._load.lost(self)


def _outcome(code: int, body: bytes) -> str:
    if code == 200:
        return SENT if b'"status":"sent"' in body else FAILED
    if code == 202:
        return PENDING
    # Too much load and wrong requests are refused before anything is recorded; of the rest nobody knows.
    return REFUSED if 400 <= code < 500 else UNCERTAIN


async def _main() -> None:
    load = Load(read_plan())
    length_s = await load.run()
    tell(load.tally.report(length_s))


if __name__ == "__main__":
    uvloop.run(_main())
