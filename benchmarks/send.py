"""Measures sending over HTTP, or in batches over gRPC, on a system of its own; see README.md beside this file."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg
from rich.console import Console

from benchmarks import statements
from benchmarks.access import make_keys, require_access
from benchmarks.machine import Machine, describe
from benchmarks.own_system import OwnSystem, own_system
from benchmarks.processes import machine_cpu_s
from benchmarks.runs import Run, Scenario, Watch, run
from benchmarks.summary import MAIN_CONCURRENCY, Summary, Verdict, summarize, verdicts
from benchmarks.tables import markdown, sheets, terminal, with_section
from benchmarks.watched import Watched
from benchmarks.workload import account_names

_RESULTS = Path(__file__).parent / "results"
_README = Path(__file__).parent / "README.md"
_QUIET_CORES = 0.2

console = Console(width=max(160, Console().width))


class Settings(msgspec.Struct, frozen=True):
    """What was asked for."""

    mode: str
    concurrency: list[int]
    seconds: float
    warmup_s: float
    repeats: int
    accounts: int
    window: int
    batch: int
    half_load: bool
    keys: int = 0
    """API keys that requests show, where a credential is required of every caller; 0 for an open system."""
    receipt_delay_s: float = 1.0
    fsync: bool = True

    def sentence(self) -> str:
        """For the head of a table."""
        return (
            f"{self.repeats} × {self.seconds:g} s after {self.warmup_s:g} s of warm-up, {self.accounts:,} accounts, "
            f"one SMPP bind with a window of {self.window}, fsync on, receipts {self.receipt_delay_s:g} s after each "
            f"submit; {f'{self.keys} API keys' if self.keys else 'no credentials'}."
        )


class Result(msgspec.Struct, frozen=True):
    """The machine-readable result."""

    machine: Machine
    settings: Settings
    summaries: list[Summary]
    verdicts: list[Verdict]
    runs: list[Run]


class Suite:
    """All runs on one system."""

    def __init__(self, system: OwnSystem, settings: Settings, *, patience_s: float, keys: Sequence[str] = ()) -> None:
        """`patience_s`: how long each run may wait for the machine to have nothing else to do.

        `keys` are the API keys that requests show; without them the system must be open.
        """
        self._keys = keys
        self._system = system
        self._settings = settings
        self._patience_s = patience_s
        self.runs: list[Run] = []

    async def measure(self) -> list[Summary]:
        """Every scenario as often as asked; rounds of all of them, so that a slow minute hits none alone."""
        settings = self._settings
        batch = settings.batch if settings.mode == "batch" else 1
        scenarios = [Scenario(settings.mode, concurrency, batch=batch) for concurrency in settings.concurrency]
        for repeat in range(settings.repeats):
            for scenario in scenarios:
                await self.run(scenario, f"round {repeat + 1} of {settings.repeats}")
        summaries = [self._summary(scenario) for scenario in scenarios]
        if settings.half_load and settings.mode == "http" and MAIN_CONCURRENCY in settings.concurrency:
            full = summaries[settings.concurrency.index(MAIN_CONCURRENCY)].carrier_per_s.median
            half = Scenario("http", MAIN_CONCURRENCY, rate=round(full / 2))
            for repeat in range(settings.repeats):
                await self.run(half, f"round {repeat + 1} of {settings.repeats}")
            summaries.append(self._summary(half))
        return summaries

    async def run(self, scenario: Scenario, remark: str, watch: Watch | None = None) -> None:
        """Runs a scenario once and tells about it."""
        settings = self._settings
        await _wait_for_quiet(self._patience_s)
        done = await run(
            self._system,
            scenario,
            len(self.runs),
            accounts=settings.accounts,
            warmup_s=settings.warmup_s,
            seconds=settings.seconds,
            watch=watch,
            keys=self._keys,
        )
        self.runs.append(done)
        books = done.books
        console.print(
            f"{scenario.name}, {remark}: {done.carrier_per_s:,.0f}/s at the carrier, p50 {done.latency.p50:.1f} ms, "
            f"p99 {done.latency.p99:.1f} ms; {books.lost} lost, {books.carrier_repeated} twice; settled after "
            f"{books.settled_after_s:g} s; {done.foreign_cores:.2f} cores busy with other things",
            highlight=False,
        )
        for problem in books.problems:
            console.print(f"  does not add up: {problem}", style="red", highlight=False)

    def _summary(self, scenario: Scenario) -> Summary:
        return summarize([each for each in self.runs if each.scenario == scenario])


async def _main(arguments: argparse.Namespace) -> int:
    load_before = os.getloadavg()[0]
    settings = _settings(arguments)
    if settings.keys and (settings.mode != "http" or arguments.profile):
        raise RuntimeError("--keys is for --mode http, without --profile")
    variables = {
        "SMPP_WINDOW": str(settings.window),
        "SANDBOX_RECEIPT_DELAY_S": str(settings.receipt_delay_s),
        **_pairs(arguments.env),
    }
    console.print("starting a system")
    with tempfile.TemporaryDirectory(prefix="tukupay-bench-") as folder:
        access = require_access(Path(folder)) if settings.keys else None
        variables |= access.variables if access else {}
        async with own_system(variables) as system:
            machine = describe(system.home, await _postgresql_version(system), load_before)
            keys: list[str] = []
            if access is not None:
                accounts = account_names(settings.accounts)
                keys = await make_keys(system.messaging, access.operator, accounts, settings.keys)
            suite = Suite(system, settings, patience_s=arguments.patience, keys=keys)
            summaries = await suite.measure()
    judged = verdicts(summaries)
    result = Result(machine, settings, summaries, judged, suite.runs)
    _write(arguments.output, msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    if arguments.profile:
        text = await _profile(settings, variables, machine)
        _write(_RESULTS / f"profile-{settings.mode}.txt", text.encode())
    all_sheets = sheets(summaries, judged)
    for sheet in all_sheets:
        console.print(terminal(sheet))
    text = markdown(all_sheets, machine, settings.sentence())
    console.rule("Markdown")
    sys.stdout.write(f"{text}\n")
    if arguments.readme:
        _README.write_text(with_section(_README.read_text(encoding="utf-8"), settings.mode, text), encoding="utf-8")
        console.print(f"written into {_README.name}")
    return 0 if not any(summary.problems for summary in summaries) else 1


async def _wait_for_quiet(patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        before = machine_cpu_s()
        await asyncio.sleep(1)
        if machine_cpu_s() - before < _QUIET_CORES:
            return


def _settings(arguments: argparse.Namespace) -> Settings:
    default = [1, 16, 64, 256] if arguments.mode == "http" else [1, 2, 4]
    return Settings(
        mode=arguments.mode,
        concurrency=arguments.concurrency or default,
        seconds=arguments.seconds,
        warmup_s=arguments.warmup,
        repeats=arguments.repeats,
        accounts=arguments.accounts,
        window=arguments.window,
        batch=arguments.batch,
        half_load=not arguments.no_half_load,
        keys=arguments.keys,
    )


async def _profile(settings: Settings, variables: Mapping[str, str], machine: Machine) -> str:
    """One more run on a system that is watched, and so is slower; what took the time, as text."""
    is_http = settings.mode == "http"
    scenario = Scenario(
        settings.mode,
        MAIN_CONCURRENCY if is_http else settings.concurrency[-1],
        batch=1 if is_http else settings.batch,
    )
    console.print("starting a system to be watched")
    async with own_system(variables, prepare=lambda system: statements.turn_on(system.database_url)) as system:
        with tempfile.TemporaryDirectory(prefix="tukupay-profile-") as folder:
            watched = Watched(system, settings.seconds, Path(folder))
            try:
                suite = Suite(system, settings, patience_s=0)
                await suite.run(scenario, "watched", watched)
                heading = f"{scenario.name}, watched, {machine.at}, commit {machine.commit}"
                return await watched.report(heading)
            finally:
                watched.stop()


async def _postgresql_version(system: OwnSystem) -> str:
    async with await psycopg.AsyncConnection.connect(system.database_url) as connection:
        cursor = await connection.execute("SHOW server_version")
        row = await cursor.fetchone()
    return str(row[0]) if row else "unknown"


def _pairs(words: Sequence[str]) -> Mapping[str, str]:
    return dict(word.split("=", 1) for word in words)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    console.print(f"written: {path}")


def _counts(text: str) -> list[int]:
    counts = [int(word) for word in text.split(",")]
    if not all(1 <= count <= 2_000 for count in counts):
        raise ValueError(text)
    return counts


def _parser() -> argparse.ArgumentParser:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--mode", choices=("http", "batch"), default="http", help="POST /api/sms/send, or SendSmsBatch over gRPC")
    add("--concurrency", type=_counts, help="connections or calls side by side, as 1,16,64,256")
    add("--seconds", type=float, default=10, help="length of the measured window")
    add("--warmup", type=float, default=3, help="seconds of load before it")
    add("--repeats", type=int, default=3, help="runs of each")
    add("--accounts", type=int, default=1_000, help="accounts that send")
    add("--window", type=int, default=100, help="submits in flight on the SMPP bind")
    add("--batch", type=int, default=500, help="messages in a call, with --mode batch")
    add("--keys", type=int, default=0, help="API keys that requests show; 0 for a system without credentials")
    add("--no-half-load", action="store_true", help="leave out the paced runs at half the rate of c = 64")
    add("--patience", type=float, default=0, help="seconds that each run may wait for the machine to be quiet")
    add("--profile", action="store_true", help="one more run, watched by py-spy")
    add("--env", action="append", default=[], metavar="NAME=VALUE", help="a setting of the system; may be repeated")
    add("--readme", action="store_true", help="put the tables into README.md")
    add("--output", type=Path, default=_RESULTS / f"local-{stamp}.json", help="where the result goes as JSON")
    return parser


if __name__ == "__main__":
    # As on Ctrl-C: everything that was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(asyncio.run(_main(_parser().parse_args())))
    except (RuntimeError, OSError, psycopg.Error) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
