"""One run: a driver in a process of its own, costs at both ends of the window, and the books afterwards."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from benchmarks.driving import Event, Latency, Plan, Report
from benchmarks.own_system import OwnSystem
from benchmarks.processes import Costs, costs
from benchmarks.reconciliation import LedgerStore, reconcile
from service_kit.embedded.bound_process import bound_command

_DRIVERS = {"http": "http_driver", "batch": "batch_driver"}
_CONNECT_S = 20.0
NUMBERS_A_RUN = 2_000_000
"""Messages of a run at most, so that no two runs send the same one."""


class Scenario(msgspec.Struct, frozen=True):
    """What is repeated."""

    mode: str
    """`http`: POST /api/sms/send, a message in each; `batch`: SendSmsBatch over gRPC."""
    concurrency: int
    rate: float | None = None
    """Requests a second; None for as fast as answers come."""
    batch: int = 1

    @property
    def name(self) -> str:
        """For tables."""
        if self.mode == "batch":
            return f"SendSmsBatch of {self.batch}, c = {self.concurrency}"
        if self.rate is not None:
            return f"HTTP, {self.rate:,.0f}/s offered"
        return f"HTTP, c = {self.concurrency}"


class Run(msgspec.Struct, frozen=True):
    """What came of it."""

    scenario: Scenario
    seconds: float
    """Length of the window."""
    carrier_per_s: float
    """Different messages that reached the carrier within the window, a second."""
    answered_per_s: dict[str, float]
    """Messages answered within the window, a second, by answer."""
    codes: dict[str, int]
    """Answers within the window by HTTP or gRPC status."""
    latency: Latency
    """Of requests, in milliseconds."""
    receipts_per_s: float
    """Receipts that were stored and acknowledged within the window, a second."""
    cpu_us: dict[str, float]
    """Processor time for each message that reached the carrier within the window, by part, in microseconds."""
    busy_cores: float
    """Processors in use within the window, by whatever process."""
    foreign_cores: float
    """Of these, in use by processes that are no part of the system or its load."""
    memory_mb: dict[str, float]
    """At the end of the window, by part."""
    books: LedgerStore


class Watch(Protocol):
    """Looks on while a driver is at work."""

    async def begin(self) -> None:
        """The window opens."""

    async def end(self, messages: int) -> None:
        """The window closes; so many messages reached the carrier meanwhile."""


class _Instant(msgspec.Struct, frozen=True):
    at: float
    stats: dict[str, int]
    costs: Costs


async def run(
    system: OwnSystem,
    scenario: Scenario,
    number: int,
    *,
    accounts: int,
    warmup_s: float,
    seconds: float,
    watch: Watch | None = None,
    keys: Sequence[str] = (),
) -> Run:
    """Runs a scenario once; `number` tells the run from the others on this system. `keys` are shown by requests.

    Raises RuntimeError when the driver fails, or is not through in time.
    """
    plan = Plan(
        target=system.gateway if scenario.mode == "http" else system.messaging,
        run=f"run{number:03}",
        first_number=number * NUMBERS_A_RUN,
        concurrency=scenario.concurrency,
        accounts=accounts,
        warmup_s=warmup_s,
        seconds=seconds,
        rate=scenario.rate,
        batch=scenario.batch,
        keys=keys,
    )
    before = system.carrier_stats()
    module = _DRIVERS[scenario.mode]
    driver = await asyncio.create_subprocess_exec(
        *bound_command([sys.executable, "-m", f"benchmarks.{module}"], death_signal=signal.SIGKILL),
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_CONNECT_S + warmup_s + seconds + plan.drain_s):
            begin, end, report = await _follow(system, driver, plan, watch)
    except TimeoutError as error:
        raise RuntimeError(f"{module} is not through in time") from error
    finally:
        if driver.returncode is None:
            driver.kill()
        await driver.wait()
    books = await reconcile(system, plan.run, report.whole_run, before)
    return _evaluate(scenario, begin, end, report, books)


async def _follow(
    system: OwnSystem, driver: asyncio.subprocess.Process, plan: Plan, watch: Watch | None
) -> tuple[_Instant, _Instant, Report]:
    if driver.stdin is None or driver.stdout is None:
        raise RuntimeError("the driver was started without pipes")
    driver.stdin.write(msgspec.json.encode(plan) + b"\n")
    pids = {**system.pids, "driver": driver.pid}
    await _event(driver.stdout)
    if watch is not None:
        await watch.begin()
    begin = _look(system, pids)
    await _event(driver.stdout)
    end = _look(system, pids)
    if watch is not None:
        await watch.end(end.stats["unique"] - begin.stats["unique"])
    report = msgspec.json.decode(await driver.stdout.readline(), type=Report)
    return begin, end, report


async def _event(lines: asyncio.StreamReader) -> Event:
    line = await lines.readline()
    if not line:
        raise RuntimeError("the driver ended early; what it wrote above says why")
    return msgspec.json.decode(line, type=Event)


def _look(system: OwnSystem, pids: Mapping[str, int]) -> _Instant:
    # The two belong to one instant as nearly as can be: the counts take a millisecond or few under load.
    stats = system.carrier_stats()
    return _Instant(time.monotonic(), stats, costs(pids))


def _evaluate(scenario: Scenario, begin: _Instant, end: _Instant, report: Report, books: LedgerStore) -> Run:
    seconds = end.at - begin.at
    messages = end.stats["unique"] - begin.stats["unique"]
    cpu_s = {part: end.costs.cpu_s[part] - begin.costs.cpu_s[part] for part in end.costs.cpu_s}
    machine_s = cpu_s.pop("machine")
    return Run(
        scenario=scenario,
        seconds=round(seconds, 3),
        carrier_per_s=round(messages / seconds, 1),
        answered_per_s={outcome: round(count / report.seconds, 1) for outcome, count in report.window.items()},
        codes=report.codes,
        latency=report.latency,
        receipts_per_s=round((end.stats["receiptsAcknowledged"] - begin.stats["receiptsAcknowledged"]) / seconds, 1),
        cpu_us={part: round(spent * 1_000_000 / max(1, messages), 1) for part, spent in cpu_s.items()},
        busy_cores=round(machine_s / seconds, 2),
        foreign_cores=round(max(0.0, machine_s - sum(cpu_s.values())) / seconds, 2),
        memory_mb={part: round(size, 1) for part, size in end.costs.memory_mb.items()},
        books=books,
    )
