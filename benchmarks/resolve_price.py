"""ResolvePrice with a million rows, against a bare echo on the same server in the same run.

Starts a PostgreSQL and a pricing service of its own, and stops them afterwards. Linux only: costs are read from
/proc. Prints tables, and the result as JSON where `--output` says.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import psycopg
import uvloop
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio

from benchmarks.machine import describe
from pricing_service.adapters.migrate import migrate
from service_kit.embedded.bound_process import bound_command
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from tukupay.sms.pricing.v1 import pricing_pb2 as pb
from tukupay.sms.pricing.v1 import pricing_pb2_grpc

RESOLVE = "/tukupay.sms.pricing.v1.PricingService/ResolvePrice"
ECHO = "/benchmark.Echo/Echo"
SAME = "/benchmark.Echo/Same"
REPORT = "/benchmark.Echo/Report"
CHANNELS = 4
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")

# Each customer has its rows over the last years, one of them in the future, as after a price list for next year.
ROWS = """
INSERT INTO cost (cost_id, level, entity, effective_from, revision, price, reason, created_by, recorded_at, epoch)
SELECT 'cost_' || lpad(to_hex(number), 32, '0'), 'SpecificCustomer',
       'cust' || lpad((number %% %(customers)s)::text, 6, '0'),
       timestamptz '2027-06-01Z' - interval '180 days' * (number / %(customers)s), 1,
       0.5 + (number %% 500) * 0.001, 'Custom pricing for high-volume customer', 'admin123',
       timestamptz '2020-01-01Z' + number * interval '1 second', number + 3
FROM generate_series(0, %(rows)s - 1) AS number
"""
DEFAULTS = """
INSERT INTO cost (cost_id, level, entity, effective_from, revision, price, reason, created_by, recorded_at, epoch)
VALUES ('cost_direct', 'DirectCustomer', '', '2020-01-01Z', 1, 0.8, NULL, 'admin123', '2020-01-01Z', 1),
       ('cost_tukupay', 'TukuPay', '', '2020-01-01Z', 1, 1.0, 'internal', 'admin123', '2020-01-01Z', 2)
"""
COUNT = "UPDATE price_epoch SET epoch = (SELECT max(epoch) FROM cost), changed_at = (SELECT max(recorded_at) FROM cost)"


@dataclass(frozen=True)
class Window:
    """What came of calling one method for a while."""

    name: str
    calls_per_s: float
    server_p50_ms: float
    server_p99_ms: float
    client_p50_ms: float
    client_p99_ms: float
    server_cpu_us: float
    """Processor time of the server for each call."""
    server_cores: float
    foreign_cores: float
    """Processors in use by neither the server, the database, nor the load."""


def cpu_s(pid: int) -> float:
    """Processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def machine_s() -> float:
    """Processor time of the whole machine."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    return sum(int(fields[place]) for place in (0, 1, 2, 5, 6)) * _TICK_S


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 1)


def family_s(pid: int) -> float:
    """Processor time of a process and its living children."""
    total = 0.0
    with contextlib.suppress(FileNotFoundError):
        total = cpu_s(pid)
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            total += family_s(int(child))
    return total


class Load:
    """Calls methods over a few connections."""

    def __init__(self, channels: list[aio.Channel], server_pid: int, postgres_pid: int, concurrency: int) -> None:
        self._channels = channels
        self._server_pid = server_pid
        self._postgres_pid = postgres_pid
        self._concurrency = concurrency

    async def run(
        self, name: str, method: str, requests: Iterator[bytes], seconds: float, report_as: str
    ) -> tuple[Window, int]:
        """Calls until the requests or the seconds are over; every caller has one call under way."""
        report: aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channels[0].unary_unary(REPORT)
        await report(b"")
        waits: list[float] = []
        deadline = time.perf_counter() + seconds

        async def caller(number: int) -> None:
            call: aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channels[number % len(self._channels)].unary_unary(
                method
            )
            for request in requests:
                begin = time.perf_counter()
                await call(request)
                end = time.perf_counter()
                waits.append(end - begin)
                if end > deadline:
                    return

        before = (cpu_s(self._server_pid), machine_s(), family_s(self._postgres_pid), time.process_time())
        begin = time.perf_counter()
        await asyncio.gather(*(caller(number) for number in range(self._concurrency)))
        took = time.perf_counter() - begin
        after = (cpu_s(self._server_pid), machine_s(), family_s(self._postgres_pid), time.process_time())
        server, machine, postgres, own = (late - early for late, early in zip(after, before, strict=True))
        seen = json.loads(await report(b""))[report_as]
        waits.sort()
        window = Window(
            name=name,
            calls_per_s=round(len(waits) / took, 1),
            server_p50_ms=seen["p50"],
            server_p99_ms=seen["p99"],
            client_p50_ms=round(waits[len(waits) // 2] * 1_000, 2),
            client_p99_ms=round(waits[len(waits) * 99 // 100] * 1_000, 2),
            server_cpu_us=round(server * 1e6 / len(waits), 1),
            server_cores=round(server / took, 2),
            foreign_cores=round(max(0.0, machine - server - postgres - own) / took, 2),
        )
        return window, len(waits)


def fill(url: str, customers: int, rows: int) -> float:
    """Fills an empty price book; the seconds that it took."""
    migrate(url)
    begin = time.perf_counter()
    with psycopg.connect(url, autocommit=True, options="-c statement_timeout=0") as connection:
        connection.execute(DEFAULTS)
        connection.execute(ROWS, {"customers": customers, "rows": rows})
        connection.execute(COUNT)
        connection.execute("VACUUM ANALYZE")
    return round(time.perf_counter() - begin, 1)


@contextlib.asynccontextmanager
async def server_on(url: str) -> AsyncIterator[tuple[int, int]]:
    """Process id and port of a pricing service in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *bound_command([sys.executable, "-m", "benchmarks.pricing_server", url], death_signal=signal.SIGKILL),
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            port = int(await process.stdout.readline())
        yield process.pid, port
    finally:
        process.terminate()
        await process.wait()


def question(number: int) -> bytes:
    """Asks what a customer pays now."""
    return pb.ResolvePriceRequest(customer_id=f"cust{number:06}").SerializeToString()


def at_random(customers: int) -> Iterator[bytes]:
    """Questions of customers picked at random, forever."""
    ready = [question(number) for number in range(customers)]
    while True:
        yield ready[random.randrange(customers)]


async def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """The seconds that a call took, and its answer."""
    begin = time.perf_counter()
    answer = await call()
    return round(time.perf_counter() - begin, 3), answer


async def whole_files(stub: pricing_pb2_grpc.PricingServiceAsyncStub, rows: int) -> dict[str, float]:
    """Seconds for an import of 20,000 rows, its rehearsal, an export, and a page of history."""
    now = Timestamp()
    now.FromDatetime(datetime.now(UTC).replace(tzinfo=None))
    price = [
        pb.SetCostRequest(
            level=pb.COST_LEVEL_SPECIFIC_CUSTOMER,
            customer_id=f"cust{number:06}",
            price_micros=600_000 + number,
            reason="Price list",
            effective_from=now,
            created_by="admin123",
        )
        for number in range(20_000)
    ]
    seconds: dict[str, float] = {}
    request = pb.ImportCostsRequest(rows=price, dry_run=True)
    seconds["dry run of 20,000"], _ = await timed(lambda: stub.ImportCosts(request))
    request.dry_run = False
    seconds["import of 20,000"], _ = await timed(lambda: stub.ImportCosts(request))

    async def export() -> int:
        return sum([len(part.costs) async for part in stub.ExportCosts(pb.ExportCostsRequest())])

    seconds[f"export from {rows:,} rows"], seconds["rows exported"] = await timed(export)
    history = pb.ListCostsRequest(level=pb.COST_LEVEL_SPECIFIC_CUSTOMER, customer_id="cust000042", page_size=100)
    seconds["page of history"], _ = await timed(lambda: stub.ListCosts(history))
    return seconds


def table(windows: list[Window]) -> str:
    """As Markdown."""
    names = ("calls/s", "server p50 ms", "server p99 ms", "client p50 ms", "client p99 ms", "server CPU µs")
    head = f"| | {' | '.join(names)} | cores (foreign) |"
    lines = [head, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {w.name} | {w.calls_per_s:,.0f} | {w.server_p50_ms:.3f} | {w.server_p99_ms:.3f} | {w.client_p50_ms:.1f} | "
        f"{w.client_p99_ms:.1f} | {w.server_cpu_us:.0f} | {w.server_cores:.2f} ({w.foreign_cores:.2f}) |"
        for w in windows
    ]
    return "\n".join(lines)


async def measure(options: argparse.Namespace, data: Path) -> dict[str, Any]:
    """The whole benchmark, on an empty folder."""
    load_before = os.getloadavg()[0]
    async with EmbeddedPostgres(data) as postgres:
        await postgres.create_database("pricing")
        url = postgres.url("pricing")
        filled_s = await asyncio.to_thread(fill, url, options.customers, options.rows)
        print(f"{options.rows:,} rows over {options.customers:,} customers recorded in {filled_s} s", flush=True)
        async with server_on(url) as (pid, port):
            memory = {"at the start": memory_mb(pid)}
            async with contextlib.AsyncExitStack() as stack:
                # Channels of one process share their connections unless their options differ.
                channels = [
                    await stack.enter_async_context(
                        aio.insecure_channel(f"127.0.0.1:{port}", options=[("benchmark.channel", number)])
                    )
                    for number in range(CHANNELS)
                ]
                assert postgres.pid is not None
                load = Load(channels, pid, postgres.pid, options.concurrency)
                cold_requests = iter(
                    [question(number) for number in random.sample(range(options.customers), options.customers)]
                )
                cold, asked = await load.run("ResolvePrice, first ask of each", RESOLVE, cold_requests, 600, "resolve")
                memory[f"after {asked:,} customers"] = memory_mb(pid)
                print(table([cold]), flush=True)
                windows: dict[str, list[Window]] = {"echo": [], "same": [], "resolve": []}
                for _ in range(options.repeats):
                    for name, method, label in (
                        ("echo", ECHO, "bare echo"),
                        ("same", SAME, "bare answer of the same size"),
                        ("resolve", RESOLVE, "ResolvePrice"),
                    ):
                        window, _ = await load.run(label, method, at_random(options.customers), options.seconds, name)
                        windows[name].append(window)
                        print(table([window]).splitlines()[-1], flush=True)
                memory["after the rounds"] = memory_mb(pid)
                files = await whole_files(pricing_pb2_grpc.PricingServiceStub(channels[0]), options.rows)
                memory["after import and export"] = memory_mb(pid)
        with psycopg.connect(url) as connection:
            version = connection.info.parameter_status("server_version") or ""
        machine = describe(data, version.split()[0], load_before)

    # Of each round by itself: what else the machine does hits both halves of a round much the same.
    def ratio(of: Callable[[Window], float], to: str) -> float:
        pairs = zip(windows["resolve"], windows[to], strict=True)
        return round(statistics.median(of(resolve) / of(other) for resolve, other in pairs), 3)

    return {
        "machine": {name: getattr(machine, name) for name in machine.__struct_fields__},
        "rows": options.rows,
        "customers": options.customers,
        "concurrency": options.concurrency,
        "first_ask": asdict(cold),
        "rounds": {name: [asdict(window) for window in each] for name, each in windows.items()},
        "throughput_to_echo": ratio(lambda window: window.calls_per_s, "echo"),
        "throughput_to_answer_of_the_same_size": ratio(lambda window: window.calls_per_s, "same"),
        "cpu_to_echo": ratio(lambda window: window.server_cpu_us, "echo"),
        "cpu_to_answer_of_the_same_size": ratio(lambda window: window.server_cpu_us, "same"),
        "server_p99_ms": statistics.median(window.server_p99_ms for window in windows["resolve"]),
        "memory_mb": memory,
        "files": files,
    }


def main() -> int:
    """Runs it; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tukupay-bench-") as folder:
        result = uvloop.run(measure(options, Path(folder) / "data"))
    text = json.dumps(result, indent=1)
    if options.output:
        options.output.write_text(text + "\n")
    print(json.dumps({name: result[name] for name in ("memory_mb", "files")}))
    met = result["throughput_to_echo"] >= 0.85 and result["server_p99_ms"] < 5
    same = "answer_of_the_same_size"
    print(
        f"throughput {result['throughput_to_echo']:.1%} of the echo's (wanted 85%), "
        f"{result[f'throughput_to_{same}']:.1%} of that of an answer of the same size; "
        f"processor time {result['cpu_to_echo']:.2f} and {result[f'cpu_to_{same}']:.2f} times theirs; "
        f"p99 at the server {result['server_p99_ms']} ms (wanted 5)"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
