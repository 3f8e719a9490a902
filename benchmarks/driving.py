"""What a load driver is told and what it tells: a plan in, events and a report out, as lines of JSON."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from time import perf_counter

import msgspec

SENT = "sent"
"""Answered as accepted by the carrier."""
PENDING = "pending"
"""Answered as on record, its outcome still open."""
FAILED = "failed"
"""Answered as on record, and refused by the carrier."""
REFUSED = "not recorded"
"""Answered with an error that promises that nothing was recorded."""
UNCERTAIN = "uncertain"
"""No answer, or one that leaves open whether the message was recorded."""


class Plan(msgspec.Struct, frozen=True):
    """One run of a driver."""

    target: str
    """host:port."""
    run: str
    """Begins every message id of the run; unique among the runs on one database."""
    first_number: int
    """Number of the first message, from which its recipient and account follow."""
    concurrency: int
    """Connections, or calls side by side, each with one request in flight."""
    accounts: int
    warmup_s: float
    seconds: float
    drain_s: float = 40.0
    """How long the last answers may take once nothing is sent any more."""
    rate: float | None = None
    """Requests a second, whether or not earlier ones were answered; None for as fast as answers come."""
    batch: int = 1
    """Messages in a request."""
    keys: Sequence[str] = ()
    """API keys that requests show; an account shows that at its number, modulo how many there are. None without."""


class Latency(msgspec.Struct, frozen=True):
    """How long requests took, in milliseconds."""

    p50: float
    p95: float
    p99: float
    max: float
    count: int


class Event(msgspec.Struct, frozen=True):
    """Told at the beginning and the end of the measured window."""

    event: str


class Report(msgspec.Struct, frozen=True):
    """What a driver saw."""

    seconds: float
    """Length of the measured window."""
    window: dict[str, int]
    """Messages by answer that came within the window."""
    codes: dict[str, int]
    """Answers within the window by HTTP or gRPC status."""
    whole_run: dict[str, int]
    """Messages by answer, from the first of the warm-up to the last of the drain."""
    latency: Latency
    """Of the answers within the window."""


class Tally:
    """Counts answers, apart for the window."""

    def __init__(self) -> None:
        self.window: Counter[str] = Counter()
        self.whole_run: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.latencies_s: list[float] = []
        self.is_open = False
        """Whether answers belong to the window now."""

    def count(self, outcome: str, messages: int = 1) -> None:
        """Messages whose answer came."""
        self.whole_run[outcome] += messages
        if self.is_open:
            self.window[outcome] += messages

    def answered(self, code: str, latency_s: float | None) -> None:
        """A request whose answer came; no latency means that it was lost."""
        if self.is_open:
            self.codes[code] += 1
            if latency_s is not None:
                self.latencies_s.append(latency_s)

    def report(self, seconds: float) -> Report:
        """Everything counted so far."""
        return Report(
            seconds=seconds,
            window=dict(self.window),
            codes=dict(self.codes),
            whole_run=dict(self.whole_run),
            latency=latency(self.latencies_s),
        )


def latency(values_s: Sequence[float]) -> Latency:
    """The distribution of durations; all zero when there are none."""
    if not values_s:
        return Latency(0, 0, 0, 0, 0)
    ordered = sorted(values_s)

    def at(share: float) -> float:
        return round(1_000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)

    return Latency(p50=at(0.5), p95=at(0.95), p99=at(0.99), max=at(1), count=len(ordered))


def tell(line: Event | Report) -> None:
    """Writes a line for whoever started the driver."""
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


async def measure(plan: Plan, tally: Tally) -> float:
    """Lets the warm-up pass, then opens the window for its time; its length in seconds."""
    await asyncio.sleep(plan.warmup_s)
    tell(Event("begin"))
    begun = perf_counter()
    tally.is_open = True
    await asyncio.sleep(plan.seconds)
    tally.is_open = False
    length_s = perf_counter() - begun
    tell(Event("end"))
    return length_s


def read_plan() -> Plan:
    """The plan on standard input."""
    return msgspec.json.decode(sys.stdin.buffer.readline(), type=Plan)
