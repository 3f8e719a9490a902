"""Compares one account that sends everything with many accounts, in turns on one system; see README.md beside this."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from statistics import median

import msgspec
import psycopg
from rich.console import Console

from benchmarks.machine import Machine, describe
from benchmarks.own_system import OwnSystem, own_system
from benchmarks.runs import Run, Scenario, run

TARGET = 0.8
"""What one account must reach of the rate of many."""

console = Console(width=max(140, Console().width))


class Side(msgspec.Struct, frozen=True):
    """One side of the comparison."""

    accounts: int
    runs: list[Run]

    @property
    def per_s(self) -> list[float]:
        """Different messages at the carrier a second, by round."""
        return [each.carrier_per_s for each in self.runs]


class Result(msgspec.Struct, frozen=True):
    """The machine-readable result."""

    machine: Machine
    concurrency: int
    ratio: float
    """The median over the rounds of the rate of one account divided by that of many in the same round."""
    one: Side
    many: Side


async def _rounds(system: OwnSystem, options: argparse.Namespace) -> tuple[Side, Side]:
    scenario = Scenario("http", options.concurrency)
    sides = (Side(1, []), Side(options.accounts, []))
    number = 0
    for place in range(options.rounds):
        # Who goes first changes, as the second of a round finds a larger database and warmer caches.
        for side in sides if place % 2 == 0 else sides[::-1]:
            done = await run(
                system, scenario, number, accounts=side.accounts, warmup_s=options.warmup, seconds=options.seconds
            )
            number += 1
            side.runs.append(done)
            console.print(
                f"round {place + 1}, {side.accounts:,} accounts: {done.carrier_per_s:,.0f}/s at the carrier, "
                f"p50 {done.latency.p50:.1f} ms, p99 {done.latency.p99:.1f} ms, "
                f"{done.foreign_cores:.2f} cores busy with other things; {done.books.problems or 'books right'}",
                highlight=False,
            )
    return sides


async def _main(options: argparse.Namespace) -> int:
    load_before = os.getloadavg()[0]
    async with own_system({"SMPP_WINDOW": "100", "SANDBOX_RECEIPT_DELAY_S": "1"}) as system:
        async with await psycopg.AsyncConnection.connect(system.database_url) as connection:
            row = await (await connection.execute("SHOW server_version")).fetchone()
        machine = describe(system.home, str(row[0]) if row else "unknown", load_before)
        one, many = await _rounds(system, options)
    ratios = [hot / spread for hot, spread in zip(one.per_s, many.per_s, strict=True)]
    result = Result(machine, options.concurrency, round(median(ratios), 3), one, many)
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    for side in (one, many):
        rates, p50, p99 = side.per_s, [r.latency.p50 for r in side.runs], [r.latency.p99 for r in side.runs]
        console.print(
            f"| {side.accounts:,} | {median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f}) | "
            f"{median(p50):.1f} | {median(p99):.1f} | {sum(r.books.lost for r in side.runs)} | "
            f"{sum(r.books.carrier_repeated for r in side.runs)} |",
            highlight=False,
        )
    listed = ", ".join(f"{ratio:.0%}" for ratio in ratios)
    console.print(f"one account reaches {result.ratio:.0%} of the rate of {many.accounts:,} (by round: {listed})")
    is_right = not any(each.books.problems for each in (*one.runs, *many.runs))
    return 0 if result.ratio >= TARGET and is_right else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--concurrency", type=int, default=64, help="connections")
    add("--accounts", type=int, default=1_000, help="accounts of the other side")
    add("--rounds", type=int, default=5, help="runs of each side")
    add("--seconds", type=float, default=8, help="length of the measured window")
    add("--warmup", type=float, default=3, help="seconds of load before it")
    add("--output", type=Path, help="where the result goes as JSON")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(asyncio.run(_main(_parser().parse_args())))
    except (RuntimeError, OSError, psycopg.Error) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
